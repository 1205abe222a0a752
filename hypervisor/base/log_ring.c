/* SPDX-License-Identifier: MIT */
#include "hypervisor/base/log_ring.h"

#include "hypervisor/base/string.h"

/* The text's two parts: up to the end of the ring, and from its start. */
static size_t first_part(const struct log_ring *ring, uint32_t position, size_t size)
{
    uint32_t offset = position & (ring->size - 1);
    return MIN(size, (size_t)(ring->size - offset));
}

bool log_ring_put(struct log_ring *ring, const char *text, size_t size)
{
    uint32_t head = ring->head;
    uint32_t used = head - __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
    if (size > ring->size - used) {
        __atomic_store_n(&ring->dropped, ring->dropped + 1, __ATOMIC_RELAXED);
        return false;
    }
    size_t first = first_part(ring, head, size);
    memcpy(ring->bytes + (head & (ring->size - 1)), text, first);
    memcpy(ring->bytes, text + first, size - first);
    __atomic_store_n(&ring->head, head + (uint32_t)size, __ATOMIC_RELEASE);
    return true;
}

size_t log_ring_available(const struct log_ring *ring)
{
    return __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE) - ring->tail;
}

size_t log_ring_take(struct log_ring *ring, char *buffer, size_t size)
{
    uint32_t tail = ring->tail;
    size_t available = log_ring_available(ring); /* looked at once: it grows meanwhile */
    size = MIN(size, available);
    size_t first = first_part(ring, tail, size);
    memcpy(buffer, ring->bytes + (tail & (ring->size - 1)), first);
    memcpy(buffer + first, ring->bytes, size - first);
    __atomic_store_n(&ring->tail, tail + (uint32_t)size, __ATOMIC_RELEASE);
    return size;
}

size_t log_ring_take_line(struct log_ring *ring, char *buffer, size_t size)
{
    uint32_t tail = ring->tail;
    size_t available = log_ring_available(ring), length = 0;
    while (length < size && length < available &&
           ring->bytes[(tail + (uint32_t)length++) & (ring->size - 1)] != '\n')
        ;
    return log_ring_take(ring, buffer, length);
}

uint32_t log_ring_take_dropped(struct log_ring *ring)
{
    uint32_t dropped = __atomic_load_n(&ring->dropped, __ATOMIC_RELAXED);
    uint32_t fresh = dropped - ring->reported;
    ring->reported = dropped;
    return fresh;
}

void log_history_put(struct log_history *history, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        history->bytes[history->written++ % history->size] = text[i];
}
