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

/* Sizes `count` consecutive BAR registers at `offset` and restores what they held. The caller has
 * switched decoding off. Reserved encodings and masks that no decoder can have count as not
 * implemented. */
void pci_bars_size(rid_t rid, unsigned offset, unsigned count, struct pci_bar bar[]);
/* BARs of a function, with its decoding off meanwhile. */
void pci_bars_read(struct pci_function *function);
/* Writes the base of a memory BAR register (and of its upper half). */
void pci_bar_write(rid_t rid, unsigned offset, const struct pci_bar *bar, uint64_t base);
