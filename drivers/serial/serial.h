/* SPDX-License-Identifier: MIT */
/* The first serial port of a PC: a 16550 at I/O port 0x3f8, 115200 baud, 8 data bits, no parity. */
#pragma once

#include "hypervisor/base/core.h"

/* At boot. False when nothing answers there: no other function may be called then. */
bool serial_init(void);
/* Waits for room for each byte, 100 ms at most. A port that was not ready for so long is written to
 * again only once it is. */
void serial_write(const char *text, size_t size);
/* Waits until the last byte is on the line, 100 ms at most. */
void serial_flush(void);
/* A byte that has arrived, or -1. */
int serial_read(void);
