/* SPDX-License-Identifier: MIT */
/* Adding functions to their table, and taking VFs out of it again. */
#pragma once

#include "hypervisor/pci/function.h"

void pci_functions_clear(void);
/* NULL when the table is full, or has a function with this requester id. */
MUST_CHECK struct pci_function *pci_function_add(const struct pci_function *function);
/* All VFs of a PF. The other entries stay where they are. */
void pci_functions_remove_vfs(const struct pci_function *pf);
/* The bus behind a bridge, -1 if there is none: for DMAR scopes. */
int pci_secondary_bus(uint16_t segment, uint16_t rid, void *context);
