/* SPDX-License-Identifier: MIT */
/* Base address registers: sizing by writing all ones (PCIe 7.5.1.2.1). */
#pragma once

#include "hypervisor/pci/function.h"

/* Sizes `count` consecutive BAR registers at `offset` and restores what they held. The caller has
 * switched decoding off. Reserved encodings and masks that no decoder can have count as not
 * implemented. */
void pci_bars_size(rid_t rid, unsigned offset, unsigned count, struct pci_bar bar[]);
/* BARs of a function, with its decoding off meanwhile. A function that is known to have something
 * else in their place has none, and is not written to. */
void pci_bars_read(struct pci_function *function);
/* Where the memory BARs of an endpoint lie, without a write: their size stays unknown and counts as
 * one page, or less where the base is aligned to less. */
void pci_bars_look(struct pci_function *function);
/* Writes the base of a memory BAR register (and of its upper half). */
void pci_bar_write(rid_t rid, unsigned offset, const struct pci_bar *bar, uint64_t base);
