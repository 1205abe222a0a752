/* SPDX-License-Identifier: MIT */
/*
 * The preflight report: lines of `subsystem.event key=value ...`, as in the log but without a time.
 * Everything that writes it calls log_event(), so that the hypervisor's own parsers can be linked
 * and their refusals land in it. docs/preflight.md describes the file.
 */
#pragma once

#include <stdarg.h>

#include "hypervisor/base/core.h"

/* Raised when an event or a key is renamed or removed, or means something else. */
#define REPORT_FORMAT 1

/* From here on lines go into `room`. What does not fit is counted, not written. */
void report_begin(char *room, size_t size);
/* One line, as log_event() has it (log.c). */
void report_add(const char *event, const char *format, va_list arguments) PRINTF_LIKE(2, 0);
/* Lines from here on differ from boot to boot on the same machine: they are no part of the stable
 * digest, by which the writer sees whether the file needs to be written again. */
void report_varies(bool varies);
/* Writes the last line, `preflight.end`, and stops; gives the report's bytes. The room for that
 * line was kept free. */
size_t report_end(void);
/* The digest of the lines that do not vary, once report_end() has been called. */
uint64_t report_stable_digest(void);

/* FNV-1a, 64 bits: against accidents, not against attackers. Begin with DIGEST_START. */
#define DIGEST_START UINT64_C(0xcbf29ce484222325)
uint64_t digest(uint64_t start, const void *bytes, size_t size);

/* The value of `key` (such as "stable") in the last line of an earlier report, of which `text`
 * holds the end; false when that is no whole `preflight.end` line. */
MUST_CHECK bool report_last_line(const char *text, size_t size, const char *key, uint64_t *value);
