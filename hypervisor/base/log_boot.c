/* SPDX-License-Identifier: MIT */
/* The log at boot: giving cores their rings, and what was said before there was a screen. */
#include "hypervisor/base/log_boot.h"

#include "hypervisor/base/string.h"

void log_start_core(void *bytes, uint32_t size)
{
    struct core_ring *own = &log_rings[this_core()];
    if (bytes == NULL || this_core() == 0)
        return;
    log_ring_init(&own->ring, bytes, size);
    __atomic_store_n(&own->ready, true, __ATOMIC_RELEASE);
}

size_t log_tail(char *buffer, size_t size)
{
    return log_history_copy(&log_history, buffer, size);
}

void log_ring_init(struct log_ring *ring, void *bytes, uint32_t size)
{
    *ring = (struct log_ring){.bytes = bytes, .size = size};
}

size_t log_history_copy(const struct log_history *history, char *buffer, size_t size)
{
    char text[LOG_LINE_SIZE];
    uint64_t number;
    size_t total = 0, used = 0, length;
    for (size_t word = log_history_begin(history);
         (length = log_history_next(history, &word, text, &number)) != 0;)
        total += length;
    for (size_t word = log_history_begin(history);
         (length = log_history_next(history, &word, text, &number)) != 0; total -= length) {
        if (total >= size)
            continue;
        memcpy(buffer + used, text, length);
        used += length;
    }
    if (size != 0)
        buffer[used] = '\0';
    return used;
}

void log_move(uint64_t *words, size_t count)
{
    struct log_history moved = {.words = words, .count = count};
    char text[LOG_LINE_SIZE];
    uint64_t number;
    size_t length;
    for (size_t word = log_history_begin(&log_history);
         (length = log_history_next(&log_history, &word, text, &number)) != 0;) {
        moved.lines = number;
        log_history_put(&moved, text, length);
    }
    log_history = moved;
}
