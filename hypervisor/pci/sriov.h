/* SPDX-License-Identifier: MIT */
/* A PF's virtual functions (PCIe 9), as setup/pci_sriov.c enabled them. */
#pragma once

#include "hypervisor/pci/function.h"

struct sriov {
    struct pci_function *pf;
    uint16_t total_vfs, initial_vfs, num_vfs;
    uint16_t first_offset, stride; /* as read with NumVFs and ARI set: they may depend on both */
    bool ari;
    struct pci_bar vf_bar[PCI_BARS]; /* base and size of one VF's share; VF n at base + n * size */
    struct deadline ready;           /* 100 ms after VF Enable */
};
