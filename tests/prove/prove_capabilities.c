/* SPDX-License-Identifier: MIT */
// clang-format off
// SOURCES: hypervisor/setup/pci_capabilities.c
// UNWIND: 5
// UNWINDSET: pci_capability_find.0:50,pci_extended_capability_find.0:66,least_size.0:6
// DEFINES: -DPCI_CONFIG_SIZE=512
// BOUND: any device, which may answer each read otherwise; any list, loops too, of up to 64 extended capabilities
// PLANT: hypervisor/setup/pci_capabilities.c ==> return offset + size <= PCI_LEGACY_SIZE ? (uint16_t)offset : 0; ==> return (uint16_t)offset;
// clang-format on
/* Every walk ends, reads inside its space, and what it finds lies whole in it. */
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/setup/pci_capabilities.h"
#include "tests/prove/prove.h"

uint32_t pci_config_read(rid_t rid, unsigned offset, unsigned width)
{
    (void)rid;
    CLAIM(width == 1 || width == 2 || width == 4);
    CLAIM(offset % width == 0 && offset + width <= KIB(4));
    uint32_t value = nondet_uint32();
    return width == 4 ? value : value & ((1u << 8 * width) - 1);
}

int main(void)
{
    uint16_t found = pci_capability_find(0, PCI_CAP_PCIE);
    CLAIM(found == 0 ||
          (found >= PCI_STANDARD_HEADER && found % 4 == 0 && found + 0x14 <= PCI_LEGACY_SIZE));
    found = pci_extended_capability_find(0, PCI_EXT_CAP_SRIOV);
    CLAIM(found == 0 ||
          (found >= PCI_LEGACY_SIZE && found % 4 == 0 && found + SRIOV_SIZE <= PCI_CONFIG_SIZE));
    return 0;
}
