/* SPDX-License-Identifier: MIT */
/*
 * Whole lines from one core to the control core: one writer, one reader, no lock. A line that does
 * not fit is dropped and counted; nothing is ever overwritten.
 */
#pragma once

#include "hypervisor/base/log.h"
#include "hypervisor/base/this_core.h"

struct log_ring {
    char *bytes;
    uint32_t size;             /* bytes, a power of two */
    volatile uint32_t head;    /* bytes ever written; writer only */
    volatile uint32_t tail;    /* bytes ever read; reader only */
    volatile uint32_t dropped; /* lines ever dropped; writer only */
    uint32_t reported;         /* of them reported; reader only */
};

/* Writer: all of the text or nothing (false; counted). */
bool log_ring_put(struct log_ring *ring, const char *text, size_t size);
/* Reader: bytes that are there now; always whole texts, unless the last take cut one. */
size_t log_ring_available(const struct log_ring *ring);
/* Reader: at most `size` bytes; how many. */
size_t log_ring_take(struct log_ring *ring, char *buffer, size_t size);
/* Reader: up to the first newline, at most `size` bytes; how many. */
size_t log_ring_take_line(struct log_ring *ring, char *buffer, size_t size);
/* Reader: lines dropped since the last call. */
uint32_t log_ring_take_dropped(struct log_ring *ring);

/*
 * The newest lines, as records that need nothing else to be read, so that they can be found in
 * memory that a reset has left, or left in part. A record is a word with LOG_RECORD_MARK and the
 * text's length, one with the line's number, the text padded with zeros, and a checksum of all
 * that. Records follow one another and go on at the first word behind the last one.
 */
struct log_history {
    uint64_t *words;
    size_t count;   /* of words */
    size_t written; /* words ever */
    uint64_t lines; /* ever */
};
#define LOG_RECORD_MARK        UINT64_C(0xb1c5e9a7d3f80000)
#define LOG_RECORD_WORDS(size) (3 + ((size) + 7) / 8)

/* At most LOG_LINE_SIZE bytes. */
void log_history_put(struct log_history *history, const char *text, size_t size);
/* The record that begins with that word, if one does and its checksum is right: its text, not
 * terminated, and its number; the text's length, or 0. */
size_t log_history_line(const struct log_history *history, size_t word, char text[LOG_LINE_SIZE],
                        uint64_t *number);
/* The first sound record from `*word` on, up to the newest one; `*word` goes behind it. 0: there is
 * none. */
size_t log_history_next(const struct log_history *history, size_t *word, char text[LOG_LINE_SIZE],
                        uint64_t *number);
/* Where the oldest word is. */
static inline size_t log_history_begin(const struct log_history *history)
{
    return history->written > history->count ? history->written - history->count : 0;
}

/* log.c: the rings of the cores, and the newest of all that was written. */
extern struct core_ring {
    struct log_ring ring;
    bool ready;
} log_rings[CPU_MAX];
extern struct log_history log_history;
