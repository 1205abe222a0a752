/* SPDX-License-Identifier: MIT */
#include "hypervisor/pci/saved.h"

#include "hypervisor/pci/acs.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/function.h"

void pci_registers_save(struct pci_function *function)
{
    rid_t rid = function->rid;
    struct pci_saved *saved = &function->saved;
    *saved = (struct pci_saved){
        .rom = pci_read32(rid, PCI_ROM),
        .command = pci_read16(rid, PCI_COMMAND),
        .cache_line = pci_read8(rid, PCI_CACHE_LINE),
        .interrupt_line = pci_read8(rid, PCI_INTERRUPT_LINE),
    };
    for (unsigned i = 0; i < PCI_BARS; i++)
        saved->bar[i] = pci_read32(rid, PCI_BAR0 + 4 * i);
    /* Back to where it was found, wherever its last owner may have got it to. */
    for (unsigned i = 0; i < PCI_BARS; i++) {
        const struct pci_bar *bar = &function->bar[i];
        if (bar->io || bar->base == 0)
            continue;
        saved->bar[i] = (uint32_t)bar->base | (saved->bar[i] & (uint32_t)PCI_BAR_MEM_FLAGS);
        if (bar->is_64bit && i + 1 < PCI_BARS)
            saved->bar[i + 1] = (uint32_t)(bar->base >> 32);
    }
    if (function->cap_pcie == 0)
        return;
    saved->device_control = pci_read16(rid, function->cap_pcie + PCIE_DEVICE_CONTROL);
    saved->link_control = pci_read16(rid, function->cap_pcie + PCIE_LINK_CONTROL);
    uint16_t control2 = pci_device_control2(rid, function->cap_pcie);
    if (control2 != 0)
        saved->device_control2 = pci_read16(rid, control2);
}

bool pci_registers_restore(const struct pci_function *function)
{
    rid_t rid = function->rid;
    const struct pci_saved *saved = &function->saved;
    uint16_t command = saved->command & (uint16_t)~(PCI_COMMAND_BUS_MASTER | PCI_COMMAND_SERR);
    bool holds = true;
    for (unsigned i = 0; !function->is_vf && i < PCI_BARS; i++) {
        pci_config_write(rid, PCI_BAR0 + 4 * i, 4, saved->bar[i]);
        holds = holds && pci_read32(rid, PCI_BAR0 + 4 * i) == saved->bar[i];
    }
    if (!function->is_vf) {
        pci_config_write(rid, PCI_ROM, 4, saved->rom & (uint32_t)~PCI_ROM_ENABLE);
        pci_config_write(rid, PCI_CACHE_LINE, 1, saved->cache_line);
        pci_config_write(rid, PCI_INTERRUPT_LINE, 1, saved->interrupt_line);
    }
    if (function->cap_pcie != 0) {
        pci_config_write(rid, function->cap_pcie + PCIE_DEVICE_CONTROL, 2,
                         saved->device_control &
                             (uint32_t)~(PCIE_DEVICE_CONTROL_FLR | PCIE_DEVICE_CONTROL_FORBIDDEN));
        pci_config_write(rid, function->cap_pcie + PCIE_LINK_CONTROL, 2, saved->link_control);
        uint16_t control2 = pci_device_control2(rid, function->cap_pcie);
        if (control2 != 0)
            pci_config_write(rid, control2, 2, saved->device_control2);
    }
    acs_enable(function);
    pci_config_write(rid, PCI_COMMAND, 2, command);
    return holds && ((pci_read16(rid, PCI_COMMAND) ^ command) &
                     (PCI_RESET_WITNESSES | PCI_COMMAND_BUS_MASTER)) == 0;
}
