/* SPDX-License-Identifier: MIT */
#include "boot/kept_log.h"

#include "hypervisor/base/string.h"

#define FIRST_WORDS (PAGE_SIZE / sizeof(uint64_t))
#define RING_WORDS  (LOG_KEPT_RING / sizeof(uint64_t))

bool kept_log_open_ring(struct kept_log *log, uint64_t *words, size_t count)
{
    char text[LOG_LINE_SIZE];
    uint64_t number, newest = 0;
    *log = (struct kept_log){.ring = {.words = words, .count = count}};
    for (size_t word = 0; word < count; word++) {
        size_t size = log_history_line(&log->ring, word, text, &number);
        if (size == 0 || (log->ring.written != 0 && number < newest))
            continue;
        newest = number;
        log->ring_word = word + LOG_RECORD_WORDS(size);
        log->ring.written = log->ring_word + count;
    }
    return log->ring.written != 0;
}

bool kept_log_open(struct kept_log *log, uint64_t *words)
{
    bool found = kept_log_open_ring(log, words + FIRST_WORDS, RING_WORDS);
    log->first = (struct log_history){.words = words, .count = FIRST_WORDS, .written = FIRST_WORDS};
    struct kept_log look = *log;
    char text[LOG_LINE_SIZE];
    uint64_t number;
    return log_history_next(&look.first, &look.first_word, text, &number) != 0 || found;
}

static bool is_crash(const char *text, size_t size)
{
    static const char event[] = "] cpu.exception ";
    for (size_t at = 0; at + sizeof event - 1 <= size; at++)
        if (text[at] == event[0])
            return memcmp(text + at, event, sizeof event - 1) == 0;
    return false;
}

size_t kept_log_next(struct kept_log *log, char text[LOG_LINE_SIZE], uint64_t *gap)
{
    uint64_t number;
    size_t size;
    do {
        size = log_history_next(&log->first, &log->first_word, text, &number);
        if (size == 0)
            size = log_history_next(&log->ring, &log->ring_word, text, &number);
        if (size == 0)
            return 0;
    } while (number < log->next);
    *gap = number - log->next;
    log->next = number + 1;
    log->lines++;
    log->missing += *gap;
    log->crashed = log->crashed || is_crash(text, size);
    return size;
}
