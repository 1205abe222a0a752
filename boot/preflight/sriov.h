/* SPDX-License-Identifier: MIT */
/* What a PF says of its VFs before they are enabled. */
#pragma once

#include "hypervisor/pci/function.h"

struct preflight_sriov {
    uint16_t total, initial, vf_device;
    uint32_t pages;                /* Supported Page Sizes */
    uint16_t offset[2], stride[2]; /* without and with ARI Capable Hierarchy */
    bool enabled;                  /* firmware left VF Enable set: nothing was written */
    bool ari;                      /* which of the two Bulkhead will have */
    struct pci_bar bar[PCI_BARS];  /* of one VF */
};

/* False when the function has no SR-IOV capability. */
bool preflight_sriov_read(const struct pci_function *pf, struct preflight_sriov *found);
