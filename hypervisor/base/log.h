/* SPDX-License-Identifier: MIT */
/*
 * The log: one logfmt line per milestone or refusal, `[seconds] subsystem.event key=value ...`.
 * Names and keys are an interface (docs/log.md, tests and graders read them).
 *
 * Any core may log at any time. A core other than the control core puts the line into a ring of
 * its own, which the control core drains: no lock is shared between guests' cores.
 */
#pragma once

#include "hypervisor/base/core.h"

#define LOG_LINE_SIZE 512

/* `event` is "subsystem.name"; `format` gives the rest of the line without a newline. Lines longer
 * than LOG_LINE_SIZE are cut and end in "...". */
void log_event(const char *event, const char *format, ...) PRINTF_LIKE(2, 3);
/* Whether the n-th event of a kind that somebody else can cause without end is logged: the first
 * `alone`, and from there on each power of two. */
static inline bool log_is_due(uint64_t n, uint64_t alone)
{
    return n <= alone || (n & (n - 1)) == 0;
}
/* For a core that is about to die: writes directly, whoever holds the console. */
void log_panic(const char *event, const char *format, ...) PRINTF_LIKE(2, 3);
typedef void log_writer(const char *event, const char *format, ...) PRINTF_LIKE(2, 3);
/* Writes out what the other cores' rings hold. Control core only. */
void log_drain(void);
/* The control loop's share of that: whole lines, core after core, for 10 ms at most and one line.
 */
void log_service(void);
/* Whether a core's ring holds lines that are not written out yet. */
bool log_pending(unsigned core);
/* Waits until everything has left the machine (100 ms at most): before it is switched off. */
void log_flush(void);
/* Where the lines go, by setup/console.c; until then only into those 64 KiB. */
extern struct log_sink {
    void (*write)(const char *text, size_t size);
    void (*flush)(void);
} log_sink;
