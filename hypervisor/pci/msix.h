/* SPDX-License-Identifier: MIT */
/* MSI-X (PCIe 7.7.2, 6.1.4). */
#pragma once

#include "hypervisor/pci/function.h"

struct msix_layout {
    uint16_t vectors; /* 1..2048 */
    uint8_t table_bar, pba_bar;
    uint32_t table_offset, pba_offset; /* bytes in their BAR */
};
/* STATUS_NOT_FOUND without the capability; STATUS_INVALID when table or PBA lie outside their BAR
 * or overlap each other. */
MUST_CHECK enum status msix_layout_read(const struct pci_function *function,
                                        struct msix_layout *layout);
void msix_enable(const struct pci_function *function, bool enable, bool mask_all);
