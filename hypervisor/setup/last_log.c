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

/* The lines up to boot.start, which says what build this is: newer ones must not overwrite it. Each
 * twice, so that one may be lost. */
static void keep_start(struct log_history *kept)
{
    char text[LOG_LINE_SIZE];
    uint64_t number;
    size_t size, word = log_history_begin(&log_history);
    do {
        size = log_history_next(&log_history, &word, text, &number);
        if (size == 0 || kept->written + 2 * LOG_RECORD_WORDS(size) > kept->count)
            return;
        for (unsigned copy = 0; copy < 2; copy++) {
            kept->lines = number;
            log_history_put(kept, text, size);
        }
    } while (!log_says_build(text, size));
}

void last_log_start(const struct boot_log *log)
{
    exceptions_report = crash_report;
    /* Uncached: a reset drops what caches have not written back. */
    uint64_t *words = log->base != 0 ? (uint64_t *)map_device(log->base, LOG_KEPT_SIZE) : NULL;
    if (words != NULL) {
        cache_flush_range(words, LOG_KEPT_SIZE);
        struct log_history kept = {.words = words, .count = PAGE_SIZE / sizeof *words};
        keep_start(&kept);
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
