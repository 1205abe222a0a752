/* SPDX-License-Identifier: MIT */
/*
 * printf-style formatting without an allocator, of what the log needs and no more (lint looks):
 * %d %u %x %c %s %%, the flags '0' '-' '#', a width in digits, and for 64 bits l, ll or z.
 */
#pragma once

#include <stdarg.h>

#include "hypervisor/base/core.h"

/* Writes at most size bytes including the terminator; returns the length the whole text has. */
size_t format_text(char *buffer, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);
size_t format_text_list(char *buffer, size_t size, const char *format, va_list arguments)
    PRINTF_LIKE(3, 0);

/* Small values returned as text by value: `size_text(n).text` lives to the end of the statement. */
struct short_text {
    char text[24];
};
struct short_text size_text(uint64_t bytes); /* "32M", "4K", "1234" (largest exact unit) */
struct short_text rid_text(uint32_t rid);    /* "bb:dd.f"; bits 31:16 are the PCI segment:
                                                "ssss:bb:dd.f" when it is not 0 */

/* Copies text with '"', '\\', and bytes outside 0x20..0x7e written as \", \\ and \xNN, for use
 * inside message="..." or text="...". Always terminates. */
void quote_text(char *destination, size_t size, const char *source, size_t source_size);
