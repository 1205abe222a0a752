/* SPDX-License-Identifier: MIT */
/*
 * Capability lists (PCIe 7.5.1.1.11, 7.6). A device may lie: both walks are bounded by the number
 * of entries that fit into their space, so a loop ends by itself.
 */
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/setup/pci_capabilities.h"
#include "hypervisor/setup/pci_known.h"
#include "hypervisor/pci/function.h"

/* The least each capability occupies: one that would stick out of its space is not there. */
static const struct capability_size {
    uint16_t id, size;
} standard_sizes[] =
    {
        {PCI_CAP_PM, 8},    {PCI_CAP_MSI, 10}, {PCI_CAP_PCIE, 0x14},
        {PCI_CAP_MSIX, 12}, {PCI_CAP_AF, 6},
},
  extended_sizes[] = {
      {PCI_EXT_CAP_AER, 0x2c},
      {PCI_EXT_CAP_ACS, 8},
      {PCI_EXT_CAP_ARI, 8},
      {PCI_EXT_CAP_ATS, 8},
      {PCI_EXT_CAP_SRIOV, SRIOV_SIZE},
};

static unsigned least_size(const struct capability_size *sizes, size_t count, uint16_t id)
{
    for (size_t i = 0; i < count; i++)
        if (sizes[i].id == id)
            return sizes[i].size;
    return 4;
}

uint16_t pci_capability_find(rid_t rid, uint8_t id)
{
    if ((pci_read16(rid, PCI_STATUS) & PCI_STATUS_CAPS) == 0)
        return 0;
    unsigned size = least_size(standard_sizes, ARRAY_SIZE(standard_sizes), id);
    unsigned offset = pci_read8(rid, PCI_CAP_POINTER) & 0xfcu;
    for (unsigned left = (PCI_LEGACY_SIZE - PCI_STANDARD_HEADER) / 4; left > 0; left--) {
        if (offset < PCI_STANDARD_HEADER)
            return 0;
        uint16_t entry = pci_read16(rid, offset);
        if (entry == 0xffff)
            return 0;
        if ((entry & 0xff) == id)
            return offset + size <= PCI_LEGACY_SIZE ? (uint16_t)offset : 0;
        offset = (unsigned)(entry >> 8) & 0xfcu;
    }
    return 0;
}

uint16_t pci_extended_capability_find(rid_t rid, uint16_t id)
{
    unsigned size = least_size(extended_sizes, ARRAY_SIZE(extended_sizes), id);
    unsigned offset = PCI_LEGACY_SIZE;
    for (unsigned left = (PCI_CONFIG_SIZE - PCI_LEGACY_SIZE) / 4; left > 0; left--) {
        uint32_t entry = pci_read32(rid, offset);
        if (entry == 0 || entry == 0xffffffff)
            return 0;
        if ((entry & 0xffff) == id)
            return offset + size <= PCI_CONFIG_SIZE ? (uint16_t)offset : 0;
        offset = (entry >> 20) & 0xffcu;
        if (offset < PCI_LEGACY_SIZE)
            return 0;
    }
    return 0;
}

/* Whether it can be trusted to reset itself. One that hangs in FLR hangs by Advanced Features, too,
 * which are the same inside. */
static void read_flr(struct pci_function *function)
{
    unsigned facts = pci_known(function);
    function->has_flr = function->cap_pcie != 0 &&
                        ((facts & PCI_KNOWN_FLR) != 0 ||
                         (pci_read32(function->rid, function->cap_pcie + PCIE_DEVICE_CAP) &
                          PCIE_DEVICE_CAP_FLR) != 0);
    if ((facts & PCI_KNOWN_NO_FLR) != 0) {
        function->has_flr = false;
        function->cap_af = 0;
    }
}

void pci_capabilities_read(struct pci_function *function)
{
    rid_t rid = function->rid;
    function->cap_pm = pci_capability_find(rid, PCI_CAP_PM);
    function->cap_msi = pci_capability_find(rid, PCI_CAP_MSI);
    function->cap_msix = pci_capability_find(rid, PCI_CAP_MSIX);
    function->cap_pcie = pci_capability_find(rid, PCI_CAP_PCIE);
    function->cap_af = pci_capability_find(rid, PCI_CAP_AF);
    function->pcie_type = PCIE_TYPE_NONE;
    function->cap_sriov = function->cap_ari = function->cap_acs = function->cap_ats = 0;
    read_flr(function);
    if (function->cap_pcie == 0)
        return; /* a conventional function has no extended space (PCIe 7.6) */
    function->pcie_type = (pci_read16(rid, function->cap_pcie + PCIE_CAPABILITIES) >> 4) & 0xf;
    function->cap_sriov = pci_extended_capability_find(rid, PCI_EXT_CAP_SRIOV);
    function->cap_ari = pci_extended_capability_find(rid, PCI_EXT_CAP_ARI);
    function->cap_acs = pci_extended_capability_find(rid, PCI_EXT_CAP_ACS);
    function->cap_ats = pci_extended_capability_find(rid, PCI_EXT_CAP_ATS);
}
