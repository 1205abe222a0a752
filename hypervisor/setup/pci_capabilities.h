/* SPDX-License-Identifier: MIT */
/* Capability lists: bounded searches; 0 when absent, loops and bad pointers end the search. */
#pragma once

#include "hypervisor/pci/function.h"

uint16_t pci_capability_find(rid_t rid, uint8_t id);
uint16_t pci_extended_capability_find(rid_t rid, uint16_t id);
/* Fills in the function's `cap_` offsets and its type. */
void pci_capabilities_read(struct pci_function *function);
