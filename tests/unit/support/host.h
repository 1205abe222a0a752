/* SPDX-License-Identifier: MIT */
/*
 * What the bare machine provides, for host tests: a log that can be looked at, a clock that only
 * moves when it is read or waited on, pages from the host's allocator.
 * A test that needs device registers defines the functions of hypervisor/base/mmio.h itself.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "hypervisor/base/core.h"

/* --- log --- */
void host_log_clear(void);
/* All lines since the last clear, each ended by a newline, without the time stamp. */
const char *host_log_text(void);
/* Lines that begin with `event` and contain `part` (NULL: any). */
unsigned host_log_count(const char *event, const char *part);

/* --- clock: every look advances it by one microsecond --- */
/* What others do while this core spins; NULL: nothing. */
extern void (*host_during_relax)(void);
void host_clock_set(uint64_t microseconds);
void host_clock_advance(uint64_t microseconds);

/* --- pages: physical address = host address; limit what can be handed out to test exhaustion ---
 */
void host_pages_limit(size_t pages); /* SIZE_MAX: no limit */
