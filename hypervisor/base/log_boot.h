/* SPDX-License-Identifier: MIT */
/* The log at boot. */
#pragma once

#include "hypervisor/base/log_ring.h"
#include "hypervisor/base/string.h"

/* Gives the calling core a ring of `size` bytes, a power of two, before it runs any guest: what
 * guests do later takes no memory for it. Until then, and without one (NULL), it writes directly,
 * as the control core always does. */
void log_start_core(void *bytes, uint32_t size);
#define LOG_RING_PAGES 2
/* The newest of the last 64 KiB of the log, from the start of a line, terminated; its length. */
size_t log_tail(char *buffer, size_t size);

/* From now on the newest lines are kept in these words; those that there are come along. On the
 * boot core, before the others are started. */
void log_move(uint64_t *words, size_t count);

void log_ring_init(struct log_ring *ring, void *bytes, uint32_t size);
/* Copies the newest bytes, at most size - 1, whole lines, and terminates; the length without the
 * terminator. */
size_t log_history_copy(const struct log_history *history, char *buffer, size_t size);
/* Whether a line of the log is boot.start, which says what build wrote it. */
static inline bool log_says_build(const char *text, size_t size)
{
    static const char event[] = "] boot.start ";
    for (size_t at = 0; at + sizeof event - 1 <= size; at++)
        if (memcmp(text + at, event, sizeof event - 1) == 0)
            return true;
    return false;
}
