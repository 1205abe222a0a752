/* SPDX-License-Identifier: MIT */
/*
 * The ports of guests whose boot protocol promises some (Linux): one 16550 at 0x3f8, PCI's
 * configuration ports, ACPI's sleep and reset registers, an exit
 * port and one for events. Any other guest has no
 * port at all.
 */
#pragma once

#include "hypervisor/abi/machine.h"

struct vcpu;

/* An access by the guest's own core. False: the guest has no such port. */
bool ports_access(struct vcpu *vcpu, uint16_t port, unsigned width, bool write, uint32_t *value);
