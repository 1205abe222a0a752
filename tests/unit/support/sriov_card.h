/* SPDX-License-Identifier: MIT */
/* A root port with buses 1 to 3 and what QEMU's 82576 has, in the model of configuration space. */
#pragma once

#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/discovery.h"
#include "tests/unit/model/pci_model.h"

static inline struct model_function *sriov_port(bool prefetchable)
{
    struct model_function *port = model_bridge(RID(0, 0, 1, 0), 1, 3);
    model_pcie(port, 0x54, PCIE_TYPE_ROOT_PORT, false);
    model_window(port, false, 0xc0000000, 0xc01fffff);
    if (prefetchable)
        model_window(port, true, UINT64_C(0x800000000), UINT64_C(0x8000fffff));
    return port;
}

static inline struct model_function *sriov_card(rid_t rid, const struct model_sriov *capability)
{
    struct model_function *card = model_endpoint(rid, 0x8086, 0x10c9, 0x020000);
    model_bar(card, 0, (struct model_bar){.size = 0x20000, .base = 0xc0000000});
    model_capability(card, 0x40, PCI_CAP_PM);
    model_msix(card, 0x70, 10, 3, 0x2003);
    model_pcie(card, 0xa0, 0, true);
    model_extended(card, 0x100, 1);
    model_extended(card, 0x150, PCI_EXT_CAP_ARI);
    model_sriov(card, capability);
    return card;
}
