/* SPDX-License-Identifier: MIT */
/* Base address registers (PCIe 7.5.1.2.1). */
#pragma once

#include "hypervisor/pci/rid.h"

#define PCI_BARS 6

struct pci_bar {
    uint64_t base; /* physical, 0 when the firmware gave none */
    uint64_t size; /* bytes, 0 when not implemented (or the upper half of a 64-bit BAR) */
    bool io;
    bool is_64bit;
    bool prefetchable;
};

struct pci_function;

/* Where memory BAR `number` lies now, by configuration space; a VF's by its PF's SR-IOV
 * capability. 0 for one that is not implemented. */
uint64_t pci_bar_now(const struct pci_function *function, unsigned number);
/* Every memory BAR is where it was when the function was found. */
bool pci_bars_hold(const struct pci_function *function);
