/* SPDX-License-Identifier: MIT */
/*
 * Where VF BARs go when the firmware left none or wrong ones: inside the windows of the bridge
 * above; else by growing such a window into its parent's free space, and its parent's if need be;
 * on a root bus into holes of what its root bridge forwards (pci_roots.h), or, where nobody tells
 * that, of the MMIO area below 4 GiB, that existing BARs, windows and the frames table prove to be
 * free.
 */
#pragma once

#include "hypervisor/pci/function.h"

/* Forgets all reservations. */
void placement_clear(void);
/* Address space that no BAR in the function table shows: ECAM (`pf` NULL), or the VF BARs of a PF.
 * False when the table of reservations is full. */
MUST_CHECK bool placement_reserve(const struct pci_function *pf, uint64_t base, uint64_t size);
void placement_release(const struct pci_function *pf);

/* True when `size` bytes at bar->base can stay: aligned to the BAR's own size, forwarded by the
 * bridge above, not RAM, and free of every other BAR, window and reservation. */
bool placement_acceptable(const struct pci_function *pf, const struct pci_bar *bar, uint64_t size);
/* Finds (and opens) a place for `size` bytes. STATUS_NO_MEMORY when it fits nowhere. */
MUST_CHECK enum status placement_find(const struct pci_function *pf, const struct pci_bar *bar,
                                      uint64_t size, uint64_t *base);
