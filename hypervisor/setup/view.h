/* SPDX-License-Identifier: MIT */
/* What guests find written down in the configuration space of their functions (assign/view.h). */
#pragma once

#include "hypervisor/assign/assignment.h"
#include "hypervisor/assign/view.h"

/* The function's view, made when it has none yet; NULL without memory. */
struct function_view *view_of(struct pci_function *function);
/* One more register, which reads as `value` at each start. False when there is no room. */
MUST_CHECK bool view_add(struct function_view *view, unsigned offset, uint32_t value,
                         uint32_t writable);

/* view_vendor.c. The next vendor-specific capability behind *cursor, from the first on with 0;
 * false for none. *left, at first VENDOR_CAPABILITIES, bounds the walk. */
#define VENDOR_CAPABILITIES ((PCI_LEGACY_SIZE - 0x40) / 4)
bool view_next_vendor(rid_t rid, unsigned *cursor, unsigned *left);
/* Copies of the function's vendor-specific capabilities (PCIe 7.9.4), by which
 * drivers find its registers, behind the PCIe capability that every guest is shown. Without those
 * through which configuration accesses would reach BARs (virtio 1.3, 4.1.4.9). What is malformed or
 * does not fit is left out and logged. STATUS_NO_MEMORY. */
MUST_CHECK enum status view_add_vendor(struct pci_function *function);

/* view_pf.c. For a PF that its guest drives: a virtual SR-IOV capability, the window that its VF
 * BARs point at, behind the guest's other BARs and mapped to nothing, and `vfs` VFs that do
 * nothing. STATUS_NO_MEMORY, STATUS_FULL: no room on the bus or in the window, which is logged. */
MUST_CHECK enum status view_add_vfs(struct assignment *assignment, const struct sriov *sriov);
