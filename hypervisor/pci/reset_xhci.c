/* SPDX-License-Identifier: MIT */
#include "hypervisor/pci/reset_xhci.h"

#include "hypervisor/base/mmio.h"
#include "hypervisor/pci/function.h"

#define USBCMD       0x00u
#define USBCMD_RUN   BIT(0)
#define USBCMD_RESET BIT(1)
#define USBSTS       0x04u
#define USBSTS_BUSY  BIT(11) /* controller not ready */
#define CONFIG       0x38u
#define CONFIG_SLOTS BITS(7, 0)

static uintptr_t operational(const struct pci_function *function)
{
    return function->reset_registers + mmio_read8(function->reset_registers);
}

void xhci_halt(const struct pci_function *function)
{
    pci_command_set(function, (uint16_t)PCI_COMMAND_MEMORY, 0);
    mmio_write32(operational(function) + USBCMD, 0);
}

void xhci_reset(const struct pci_function *function)
{
    mmio_write32(operational(function) + CONFIG, 1); /* what a reset makes it forget */
    mmio_write32(operational(function) + USBCMD, (uint32_t)USBCMD_RESET);
}

bool xhci_is_reset(const struct pci_function *function)
{
    uintptr_t at = operational(function);
    return (mmio_read32(at + USBCMD) & (USBCMD_RUN | USBCMD_RESET)) == 0 &&
           (mmio_read32(at + USBSTS) & USBSTS_BUSY) == 0 &&
           (mmio_read32(at + CONFIG) & CONFIG_SLOTS) == 0;
}
