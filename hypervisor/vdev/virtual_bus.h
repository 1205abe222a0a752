/* SPDX-License-Identifier: MIT */
/*
 * A guest's virtual PCI bus: memory accesses of its cores that reach no RAM. Reads of configuration
 * space and accesses to registers beside an MSI-X table are made by the guest's own core, all else
 * by the control core.
 */
#pragma once

#include "hypervisor/assign/guest.h"

/* An access to configuration space; `offset` as in ECAM (PCIe 7.2.2). What does not exist reads as
 * all ones. */
void virtual_bus_config(struct guest *guest, uint64_t offset, unsigned width, bool write,
                        uint64_t *value);
/* An access to guest-physical `address`; false: nothing is there for this guest. */
bool virtual_bus_access(struct vcpu *vcpu, uint64_t address, unsigned width, bool write,
                        uint64_t *value);
