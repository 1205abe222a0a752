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

/* Each step maps the sums one to one: whatever is changed in a single word changes the last sum. */
static uint64_t add(uint64_t sum, uint64_t word)
{
    sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return sum ^ sum >> 32;
}

static uint64_t put_word(struct log_history *history, uint64_t sum, uint64_t word)
{
    history->words[history->written++ % history->count] = word;
    return add(sum, word);
}

void log_history_put(struct log_history *history, const char *text, size_t size)
{
    uint64_t sum = put_word(history, 0, LOG_RECORD_MARK | size);
    sum = put_word(history, sum, history->lines++);
    for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
        uint64_t word = 0;
        memcpy(&word, text + at, MIN(size - at, sizeof word));
        sum = put_word(history, sum, word);
    }
    (void)put_word(history, 0, sum);
}

size_t log_history_line(const struct log_history *history, size_t word, char text[LOG_LINE_SIZE],
                        uint64_t *number)
{
    uint64_t words[LOG_RECORD_WORDS(LOG_LINE_SIZE)], sum = 0;
    words[0] = history->words[word % history->count];
    size_t size = words[0] ^ LOG_RECORD_MARK;
    if (size == 0 || size > LOG_LINE_SIZE)
        return 0;
    for (size_t i = 1; i < LOG_RECORD_WORDS(size); i++) {
        sum = add(sum, words[i - 1]);
        words[i] = history->words[(word + i) % history->count];
    }
    *number = history->words[(word + 1) % history->count];
    memcpy(text, &words[2], size);
    return words[LOG_RECORD_WORDS(size) - 1] == sum ? size : 0;
}

size_t log_history_next(const struct log_history *history, size_t *word, char text[LOG_LINE_SIZE],
                        uint64_t *number)
{
    while (*word < history->written) {
        size_t size = log_history_line(history, *word, text, number);
        *word += size != 0 ? LOG_RECORD_WORDS(size) : 1;
        if (size != 0)
            return size;
    }
    return 0;
}
