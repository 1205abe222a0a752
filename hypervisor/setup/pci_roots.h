/* SPDX-License-Identifier: MIT */
/* The addresses that each root bridge forwards, as firmware's drivers told the loader. */
#pragma once

#include "boot/boot_info.h"
#include "hypervisor/pci/function.h"

/* Looks at what the loader passed on, against itself, RAM and the BARs that firmware assigned:
 * after enumeration. What contradicts is not used. Logs `pci.root` for each window, `pci.refused`.
 * The structure stays in use. */
void pci_roots_check(const struct boot_info *info);
/* Whether there is more than one root bridge that has windows. */
bool pci_roots_many(void);

struct pci_root_area {
    uint64_t first, end; /* end: one past the last byte */
};

/* What the root bridge above a function on a root bus forwards, one stretch after the other from
 * index 0: its windows, then the memory-mapped I/O around them that is no other root bridge's.
 * False past the last one. */
bool pci_root_area(const struct pci_function *function, unsigned index, struct pci_root_area *area);
/* Whether a part of it lies in a window of another root bridge than the function's; *end is where
 * that ends. */
bool pci_root_foreign(const struct pci_function *function, uint64_t base, uint64_t size,
                      uint64_t *end);
/* The last bus number before the next root bridge's first; 255 when it has none behind it. */
unsigned pci_root_buses_end(uint16_t segment, uint8_t bus);
