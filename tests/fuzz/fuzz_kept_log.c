/* SPDX-License-Identifier: MIT */
// Any bytes as the memory that the last run's log was in: over a log that is there, and alone.
// SOURCES: boot/kept_log.c hypervisor/base/log_ring.c
#include <string.h>

#include "boot/kept_log.h"
#include "tests/fuzz/fuzz.h"

static uint64_t words[LOG_KEPT_SIZE / 8], sound[LOG_KEPT_SIZE / 8];

static void read_all(struct kept_log *log, bool ours)
{
    char text[LOG_LINE_SIZE];
    uint64_t gap, lines = 0;
    for (size_t size; (size = kept_log_next(log, text, &gap)) != 0; lines++) {
        fuzz_check(size <= LOG_LINE_SIZE && lines < LOG_KEPT_SIZE / 32 + 64);
        if (ours)
            fuzz_check(size > 10 && memcmp(text, "a line of ", 10) == 0);
    }
    fuzz_check(lines == log->lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kept_log log;
    if (sound[0] == 0) {
        struct log_history first = {.words = sound, .count = PAGE_SIZE / 8};
        struct log_history ring = {.words = sound + PAGE_SIZE / 8, .count = LOG_KEPT_RING / 8};
        static const char text[] = "a line of the hypervisor's log, of any length up to this";
        log_history_put(&first, text, sizeof text - 1);
        for (unsigned i = 0; i < 3000; i++)
            log_history_put(&ring, text, 11 + i % (sizeof text - 12));
    }
    /* The fuzzer's bytes where it says, 64 of each, over a sound log. */
    memcpy(words, sound, sizeof words);
    for (size_t at = 0; at + 10 <= size; at += 10) {
        uint16_t where;
        memcpy(&where, data + at, sizeof where);
        memcpy(&words[where % (sizeof words / 8)], data + at + 2, 8);
    }
    if (kept_log_open(&log, words))
        read_all(&log, true);
    memset(words, 0, sizeof words);
    memcpy(words, data, size < sizeof words ? size : sizeof words);
    if (kept_log_open(&log, words))
        read_all(&log, false);
    size_t count = size / 8;
    if (count >= 68 && count <= sizeof words / 8 && kept_log_open_ring(&log, words, count))
        read_all(&log, false);
    return 0;
}
