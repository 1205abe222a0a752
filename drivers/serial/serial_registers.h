/* SPDX-License-Identifier: MIT */
/* PC16550D data sheet, table II: the registers, and where they are. */
#pragma once

#include "hypervisor/base/core.h"

#define SERIAL_DATA        0 /* receive, transmit */
#define SERIAL_LINE_STATUS 5

#define STATUS_RECEIVED 0x01
#define STATUS_ROOM     0x20 /* the transmit FIFO is empty */
#define STATUS_IDLE     0x40 /* and so is the shift register */
#define STATUS_NO_PORT  0xff

extern struct serial_port {
    uintptr_t base; /* an I/O port, or an address */
    bool memory;
    uint8_t stride; /* bytes from one register to the next */
    uint8_t width;  /* bytes of an access in memory: 1 or 4 */
    bool stuck;
    uint32_t fifo; /* bytes */
    uint32_t room; /* that it still takes without another look */
} serial_port;

uint8_t serial_register_read(unsigned number);
