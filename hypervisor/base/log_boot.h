/* SPDX-License-Identifier: MIT */
/* The log at boot. */
#pragma once

#include "hypervisor/base/log_ring.h"

/* Gives the calling core a ring of `size` bytes, a power of two, before it runs any guest: what
 * guests do later takes no memory for it. Until then, and without one (NULL), it writes directly,
 * as the control core always does. */
void log_start_core(void *bytes, uint32_t size);
#define LOG_RING_PAGES 2
/* The newest of the last 64 KiB of the log, from the start of a line, terminated; its length. */
size_t log_tail(char *buffer, size_t size);

void log_ring_init(struct log_ring *ring, void *bytes, uint32_t size);
/* Copies the newest bytes, at most size - 1, beginning at the start of a line when any had to be
 * left out, and terminates; the length without the terminator. */
size_t log_history_copy(const struct log_history *history, char *buffer, size_t size);
