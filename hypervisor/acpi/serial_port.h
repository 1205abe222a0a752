/* SPDX-License-Identifier: MIT */
/* A serial port as SPCR and DBG2 describe it, and the tables themselves (Microsoft: Serial Port
 * Console Redirection Table, Debug Port Table 2). */
#pragma once

#include "hypervisor/base/core.h"

struct acpi_serial_port {
    bool memory;      /* registers in memory rather than I/O ports */
    uint64_t address; /* of the first one: physical, or a port number; never 0 */
    uint8_t stride;   /* bytes from one register to the next: 1, 2 or 4; 1 with ports */
    uint8_t width;    /* bytes of an access: 1 or 4, at most `stride` */
    uint32_t divisor; /* of the baud rate generator; 0: as firmware has set it */
};

/* Port types of DBG2 (table 3), which SPCR has since its revision 2 as well. */
enum {
    ACPI_SERIAL_16550 = 0x00,
    ACPI_SERIAL_16550_SUBSET = 0x01,
    ACPI_SERIAL_NVIDIA = 0x05,
    ACPI_SERIAL_16550_GAS = 0x12, /* stride and width as the generic address says */
};

/* SPCR: the console that firmware uses. STATUS_UNSUPPORTED, logged with its name, for a port that
 * is not a 16550; STATUS_NOT_FOUND when the table says there is none (address 0); STATUS_INVALID
 * when its head or address cannot be used. The interrupt is not looked at. */
MUST_CHECK enum status spcr_parse(const void *table, uint32_t length,
                                  struct acpi_serial_port *port);
/* DBG2: the first debug port that is a 16550; the others are logged. The same results. */
MUST_CHECK enum status dbg2_parse(const void *table, uint32_t length,
                                  struct acpi_serial_port *port);

/* --- what both share: serial_port.c --- */

#define ACPI_GAS_SIZE 12u
/* The generic address at `offset` of the table called `name`, of a port of the type that stands at
 * `type_offset`; the caller has checked the length. `divisor` is left alone. */
MUST_CHECK enum status acpi_serial_read(const char *name, const uint8_t *bytes,
                                        uint32_t type_offset, uint16_t type, uint32_t offset,
                                        struct acpi_serial_port *port);
