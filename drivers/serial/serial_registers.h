/* SPDX-License-Identifier: MIT */
/* PC16550D data sheet, table II: registers of the first serial port. */
#pragma once

#include "hypervisor/base/core.h"

#define SERIAL_PORT 0x3f8

#define SERIAL_DATA        (SERIAL_PORT + 0) /* receive, transmit */
#define SERIAL_LINE_STATUS (SERIAL_PORT + 5)

#define STATUS_RECEIVED 0x01
#define STATUS_ROOM     0x20 /* the transmit FIFO is empty */
#define STATUS_IDLE     0x40 /* and so is the shift register */
