/* SPDX-License-Identifier: MIT */
/* The console's serial port: a 16550, polled, at I/O ports or in memory. setup/serial.c finds it
 * and fills in serial_port; before that no function may be called. */
#pragma once

#include "hypervisor/base/core.h"

/* Waits for room for each byte, 100 ms at most. A port that was not ready for so long is written to
 * again only once it is. */
void serial_write(const char *text, size_t size);
/* Waits until the last byte is on the line, 100 ms at most. */
void serial_flush(void);
/* A byte that has arrived, or -1. */
int serial_read(void);
