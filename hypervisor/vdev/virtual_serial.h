/* SPDX-License-Identifier: MIT */
/*
 * A guest's serial line: a 16550A without an interrupt line (drivers poll it). What the guest sends
 * goes into a ring that the control core empties; while the ring is full the transmitter reports
 * itself busy, so that nothing is lost. What is typed for the guest comes out of a second ring.
 */
#pragma once

#include "hypervisor/base/core.h"

struct virtual_serial; /* a page, all zeros before virtual_serial_reset() */

/* Registers as after power-on; both rings empty. Bytes of output that nobody had taken. */
size_t virtual_serial_reset(struct virtual_serial *serial);

/* The eight registers, by offset 0 to 7; any of the guest's cores. */
uint8_t virtual_serial_read(struct virtual_serial *serial, unsigned offset);
void virtual_serial_write(struct virtual_serial *serial, unsigned offset, uint8_t value);

/* How often a register was read or written: each was an exit of some vCPU. */
uint64_t virtual_serial_accesses(struct virtual_serial *serial);

/* Control core: takes up to `size` bytes of output; returns how many there were. */
size_t virtual_serial_take(struct virtual_serial *serial, char *bytes, size_t size);
/* Control core: bytes that can be taken. */
size_t virtual_serial_pending(struct virtual_serial *serial);
/* Control core: a byte that was typed. False when the guest reads too slowly: it is lost. */
bool virtual_serial_type(struct virtual_serial *serial, char byte);
