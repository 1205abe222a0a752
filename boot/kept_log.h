/* SPDX-License-Identifier: MIT */
/*
 * The log in memory that a reset leaves alone: first a page with the run's first line, twice, then
 * LOG_KEPT_RING bytes of the newest lines (hypervisor/base/log_ring.h). Nobody vouches for any of
 * it but the records' own checksums.
 */
#pragma once

#include "hypervisor/base/log_ring.h"

#define LOG_KEPT_RING KIB(64)
#define LOG_KEPT_SIZE (PAGE_SIZE + LOG_KEPT_RING)

/* Reading what is left of one, from the oldest line to the newest. Works on words only
 * (host-tested). */
struct kept_log {
    struct log_history first, ring;
    size_t first_word, ring_word;
    uint64_t next;    /* the number that the next line should have */
    uint64_t lines;   /* given so far */
    uint64_t missing; /* numbers left out so far */
    bool crashed;     /* one of the lines is cpu.exception */
};

/* False when there is not one sound line. `words` are LOG_KEPT_SIZE bytes. */
MUST_CHECK bool kept_log_open(struct kept_log *log, uint64_t *words);
/* The same for words with nothing but lines, wherever the oldest begins. */
MUST_CHECK bool kept_log_open_ring(struct kept_log *log, uint64_t *words, size_t count);
/* The next line with its newline, not terminated; 0 after the last. `*gap` is how many are missing
 * in front of it. */
size_t kept_log_next(struct kept_log *log, char text[LOG_LINE_SIZE], uint64_t *gap);
