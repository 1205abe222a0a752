/* SPDX-License-Identifier: MIT */
/* Adding functions to their table, and taking VFs out of it again. */
#pragma once

#include "hypervisor/pci/function.h"

void pci_functions_clear(void);
/* Of a class that the platform needs and nobody else can use: base system peripherals (08), signal
 * processing (11). */
bool pci_is_peripheral(const struct pci_function *function);
/* NULL when there is no more room for its kind, or a function with this requester id. Peripherals
 * may take half of the table, other endpoints three quarters. */
MUST_CHECK struct pci_function *pci_function_add(const struct pci_function *function);
/* Puts the table in order again after requester ids have changed. */
void pci_functions_sort(void);
/* All VFs of a PF. The other entries stay where they are. */
void pci_functions_remove_vfs(const struct pci_function *pf);
/* The bus behind a bridge, -1 if there is none: for DMAR scopes. */
int pci_secondary_bus(uint16_t segment, uint16_t rid, void *context);
