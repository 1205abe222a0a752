/* SPDX-License-Identifier: MIT */
/*
 * A text console on a linear framebuffer of 32 bits a pixel. The text is kept in memory; the
 * framebuffer is only written, never read, and only where a character changed.
 */
#pragma once

#include "hypervisor/base/core.h"

/* Printable ASCII, newline, carriage return, backspace, tab. Nothing before framebuffer_init(). At
 * boot it is drawn at once, later by the next two. */
void framebuffer_write(const char *text, size_t size);
/* One turn's share of what is not drawn yet: screen.turn rows. */
void framebuffer_turn(void);
/* All of it: before the machine stops. */
void framebuffer_flush(void);
