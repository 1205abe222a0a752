/* SPDX-License-Identifier: MIT */
/*
 * A text console on a linear framebuffer of 32 bits a pixel. The text is kept in memory; the
 * framebuffer is only written, never read, and only where a character changed.
 */
#pragma once

#include "boot/boot_info.h"
#include "hypervisor/base/core.h"

/* Maps and clears the screen. STATUS_INVALID when the description contradicts itself,
 * STATUS_UNSUPPORTED for a format that is none of ours, STATUS_NO_MEMORY when it cannot be mapped.
 */
MUST_CHECK enum status framebuffer_init(const struct boot_framebuffer *description);
/* Printable ASCII, newline, carriage return, backspace, tab. Nothing before framebuffer_init(). */
void framebuffer_write(const char *text, size_t size);
