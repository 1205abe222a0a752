/* SPDX-License-Identifier: MIT */
/*
 * A text console on a linear framebuffer of 32 bits a pixel. The text is kept in memory; the
 * framebuffer is only written, never read, and only where a character changed.
 */
#pragma once

#include "hypervisor/base/core.h"

/* Printable ASCII, newline, carriage return, backspace, tab. Nothing before framebuffer_init(). */
void framebuffer_write(const char *text, size_t size);
