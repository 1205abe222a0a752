/* SPDX-License-Identifier: MIT */
/* Where base address registers point now (PCIe 7.5.1.2.1). */
#include "hypervisor/pci/bars.h"

#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/function.h"

uint64_t pci_bar_now(const struct pci_function *function, unsigned number)
{
    const struct pci_bar *bar = &function->bar[number];
    const struct pci_function *holder = function->is_vf ? function->pf : function;
    if (bar->io || bar->size == 0)
        return 0;
    unsigned offset = (function->is_vf ? holder->cap_sriov + SRIOV_VF_BAR0 : PCI_BAR0) + 4 * number;
    uint64_t base = pci_read32(holder->rid, offset) & ~(uint64_t)PCI_BAR_MEM_FLAGS;
    if (bar->is_64bit)
        base |= (uint64_t)pci_read32(holder->rid, offset + 4) << 32;
    return base + (function->is_vf ? function->vf_index * bar->size : 0);
}

bool pci_bars_hold(const struct pci_function *function)
{
    for (unsigned i = 0; i < PCI_BARS; i++)
        if (function->bar[i].base != 0 && !function->bar[i].io &&
            pci_bar_now(function, i) != function->bar[i].base)
            return false;
    return true;
}
