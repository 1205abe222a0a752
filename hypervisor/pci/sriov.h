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

/* A guest has one of the PF's VFs, or its unit may still let one through. */
bool pci_vfs_connected(const struct pci_function *pf);
/* SR-IOV Control, NumVFs and VF BARs are as they were set at boot. */
bool pci_sriov_holds(const struct pci_function *pf);
/* After a reset of the PF, which clears all of them: set again. The VFs answer 100 ms later (PCIe
 * 9.3.3.3.1), and are then made as they were at boot, in the state of power-on. */
void pci_sriov_restore(const struct pci_function *pf);
void pci_vfs_restore(const struct pci_function *pf);
