/* SPDX-License-Identifier: MIT */
/*
 * Whole lines from one core to the control core: one writer, one reader, no lock. A line that does
 * not fit is dropped and counted; nothing is ever overwritten.
 */
#pragma once

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

/* The last `size` bytes of a text that goes on and on. */
struct log_history {
    char *bytes;
    size_t size;
    size_t written; /* ever */
};
void log_history_put(struct log_history *history, const char *text, size_t size);

/* log.c: the rings of the cores, and the newest of all that was written. */
extern struct core_ring {
    struct log_ring ring;
    bool ready;
} log_rings[CPU_MAX];
extern struct log_history log_history;
