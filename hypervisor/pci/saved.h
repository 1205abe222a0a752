/* SPDX-License-Identifier: MIT */
/* Registers that a reset makes a function forget. */
#pragma once

#include "hypervisor/pci/bars.h"

/* Bits of the command register that every reset clears. */
#define PCI_RESET_WITNESSES (PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_OFF)

struct pci_saved {
    uint32_t bar[PCI_BARS];
    uint32_t rom;
    uint16_t command;
    uint8_t cache_line, interrupt_line;
    uint16_t device_control, link_control, device_control2;
    uint16_t witness; /* command bits that were set before and that a reset clears */
};

struct pci_function;

/* The BARs are saved as they were found at boot, wherever its last owner may have moved them. */
void pci_registers_save(struct pci_function *function);
/* BARs first, decoding after them; not bus mastering, and not what the last owner may have switched
 * on past the hypervisor. ACS is on again afterwards. False when the registers do not hold. */
MUST_CHECK bool pci_registers_restore(const struct pci_function *function);
