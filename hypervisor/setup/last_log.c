/* SPDX-License-Identifier: MIT */
/* The log in memory that a reset leaves alone. */
#include "boot/kept_log.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/log_boot.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/guest/crash.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/setup/setup.h"
#include "hypervisor/x86/exceptions.h"

/* boot.start says which build this is, and newer lines must not overwrite it. */
static void keep_first_line(uint64_t *words)
{
    struct log_history kept = {.words = words, .count = PAGE_SIZE / sizeof *words};
    char text[LOG_LINE_SIZE];
    uint64_t number;
    size_t word = log_history_begin(&log_history);
    size_t size = log_history_next(&log_history, &word, text, &number);
    for (unsigned copy = 0; copy < 2 && size != 0; copy++) {
        kept.lines = number;
        log_history_put(&kept, text, size);
    }
}

void last_log_start(const struct boot_log *log)
{
    exceptions_report = crash_report;
    /* Uncached: a reset drops what caches have not written back. */
    uint64_t *words = log->base != 0 ? (uint64_t *)map_device(log->base, LOG_KEPT_SIZE) : NULL;
    if (words != NULL) {
        cache_flush_range(words, LOG_KEPT_SIZE);
        keep_first_line(words);
        log_move(words + PAGE_SIZE / sizeof *words, LOG_KEPT_RING / sizeof *words);
        log_event("log.kept", "base=%#lx size=%s message=\"survives a reset\"", log->base,
                  size_text(LOG_KEPT_SIZE).text);
    } else {
        log_event("log.kept", "base=0x0 size=0 message=\"this run's log does not survive a reset: "
                              "only the EFI application finds memory for it\"");
    }
    if (log->saved != 0)
        log_event("log.saved", "bytes=%lu lines=%u missing=%u crash=%s from=%s file=last.log",
                  log->saved, log->lines, log->missing, log->crashed != 0 ? "yes" : "no",
                  log->from);
    if (log->message[0] != '\0')
        log_event("log.refused", "message=\"%s\"", log->message);
}
