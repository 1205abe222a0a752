/* SPDX-License-Identifier: MIT */
/* PC16550D data sheet, table II: the registers of the first serial port. */
#pragma once

#include "hypervisor/base/core.h"

#define SERIAL_PORT 0x3f8

enum serial_register {
    SERIAL_DATA = SERIAL_PORT + 0,       /* receive, transmit; divisor low with DLAB */
    SERIAL_INTERRUPTS = SERIAL_PORT + 1, /* interrupt enable; divisor high with DLAB */
    SERIAL_FIFO = SERIAL_PORT + 2,
    SERIAL_LINE = SERIAL_PORT + 3,
    SERIAL_MODEM = SERIAL_PORT + 4,
    SERIAL_LINE_STATUS = SERIAL_PORT + 5,
    SERIAL_SCRATCH = SERIAL_PORT + 7,
};

#define LINE_8N1            0x03
#define LINE_DIVISOR_ACCESS 0x80
#define FIFO_ENABLE_CLEAR   0xc7 /* enable, clear both, receive threshold 14 */
#define MODEM_READY         0x03 /* DTR, RTS */
#define STATUS_RECEIVED     0x01
#define STATUS_ROOM         0x20 /* the transmit FIFO is empty */
#define STATUS_IDLE         0x40 /* and so is the shift register */
#define STATUS_NO_PORT      0xff
#define DIVISOR_115200      1
