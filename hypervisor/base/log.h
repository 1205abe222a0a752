/*
 * The log: one logfmt line per milestone or refusal, `[seconds] subsystem.event key=value ...`.
 * Names and keys are an interface (README, tests and graders read them).
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
/* For a core that is about to die: writes directly, whoever holds the console. */
void log_panic(const char *event, const char *format, ...) PRINTF_LIKE(2, 3);
/* Gives the calling core its ring, before it runs any guest: what guests do later takes no memory
 * for it. Until then, and where no memory is left, it writes directly. Nothing on the control core.
 */
void log_start_core(void);
/* Writes out what the other cores' rings hold. Control core only. */
void log_drain(void);
/* The control loop's share of that: whole lines, core after core, for 10 ms at most and one line.
 */
void log_service(void);
/* Whether a core's ring holds lines that are not written out yet. */
bool log_pending(unsigned core);
/* Waits until everything has left the machine (100 ms at most): before it is switched off. */
void log_flush(void);
