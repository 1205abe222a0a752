/* SPDX-License-Identifier: MIT */
/* The table of functions, and their command registers. */
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/function.h"

struct pci_function_table pci_functions;

size_t pci_function_count(void)
{
    return pci_functions.count;
}

struct pci_function *pci_function_at(size_t index)
{
    return index < pci_functions.count ? pci_functions.order[index] : NULL;
}

struct pci_function *pci_function_find(rid_t rid)
{
    size_t first = 0, end = pci_functions.count;
    while (first < end) {
        size_t middle = (first + end) / 2;
        if (pci_functions.order[middle]->rid < rid)
            first = middle + 1;
        else
            end = middle;
    }
    struct pci_function *function = pci_function_at(first);
    return function != NULL && function->rid == rid ? function : NULL;
}

uint16_t pci_device_control2(rid_t rid, uint16_t cap_pcie)
{
    return cap_pcie != 0 && cap_pcie + PCIE_DEVICE_CONTROL2 + 2 <= PCI_LEGACY_SIZE &&
                   (pci_read16(rid, cap_pcie + PCIE_CAPABILITIES) & 0xf) >= 2
               ? (uint16_t)(cap_pcie + PCIE_DEVICE_CONTROL2)
               : 0;
}

void pci_command_set(const struct pci_function *function, uint16_t set, uint16_t clear)
{
    /* A bridge forwards downstream only with Memory Space on, and upstream only with Bus Master on
     * (PCIe 7.5.1.1.3); firmware that started no driver below it may have left both off. */
    uint16_t forward =
        set & (uint16_t)(PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_BUS_MASTER);
    PCI_FOR_EACH_UPWARD (bridge, forward != 0 ? function->bridge : NULL)
        pci_update16(bridge->rid, PCI_COMMAND, 0, forward);
    pci_update16(function->rid, PCI_COMMAND, clear, set);
}

void pci_bus_master(const struct pci_function *function, bool on)
{
    uint16_t bit = (uint16_t)PCI_COMMAND_BUS_MASTER;
    pci_command_set(function, on ? bit : 0, on ? 0 : bit);
}
