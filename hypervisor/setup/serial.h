/* SPDX-License-Identifier: MIT */
/* Whether a 16550 is where one is said to be, and setting it up. */
#pragma once

#include "hypervisor/base/core.h"

struct serial_place {
    bool memory;      /* registers in memory rather than I/O ports */
    bool known;       /* a PCI function says that it is a serial port */
    uint64_t address; /* of the first register: a port, or physical */
    uint8_t stride;   /* bytes from one register to the next */
    uint8_t width;    /* bytes of an access: 1 or 4; 1 with ports */
    uint32_t divisor; /* of the baud rate generator; 0: as it is */
};

#define SERIAL_REGISTERS      8u
#define SERIAL_DIVISOR_115200 1 /* with the clock of a PC's UART */

/* Bytes that its registers take. */
static inline uint64_t serial_size(const struct serial_place *place)
{
    return SERIAL_REGISTERS * (uint64_t)place->stride;
}

/* NULL when a 16550 answers there: it is the console's from now on, 8 data bits, no parity. Else
 * why it is not used, for a message; the one before stays. `base` is the port again, or where the
 * registers are mapped. No wait: 40 accesses at most, and no write unless reads look like one. */
MUST_CHECK const char *serial_open(const struct serial_place *place, uintptr_t base);
/* The same port, mapped elsewhere. */
void serial_move(uintptr_t base);
