/* SPDX-License-Identifier: MIT */
/* The log at boot: giving cores their rings, and what was said before there was a screen. */
#include "hypervisor/base/log_boot.h"

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
    if (size == 0)
        return 0;
    /* One less than there is room for: the byte before must still be there to be looked at. */
    size_t length = MIN(MIN(history->written, history->size - 1), size - 1);
    size_t from = history->written - length;
    while (length > 0 && from > 0 && history->bytes[(from - 1) % history->size] != '\n') {
        from++;
        length--;
    }
    for (size_t i = 0; i < length; i++)
        buffer[i] = history->bytes[(from + i) % history->size];
    buffer[length] = '\0';
    return length;
}
