/* SPDX-License-Identifier: MIT */
/* USB controllers: what came of asking firmware for them (boot/pci/usb.h), which nobody could say
 * when it was done, and what an xHCI is reset by. */
#include "hypervisor/setup/pci.h"
#include "hypervisor/setup/pci_buses.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/pci/function.h"

#define CLASS_XHCI      0x0c0330u
#define RESET_REGISTERS 0x200u /* capability registers (256 bytes at most) and what follows */

static const struct {
    const char *status, *message;
} results[] = {
    [BOOT_USB_WAITING] = {"busy", "firmware was not asked for it"},
    [BOOT_USB_TAKEN] = {"ok", "firmware has let go of it"},
    [BOOT_USB_UNUSED] = {"ok", "nobody uses it: its registers are switched off"},
    [BOOT_USB_STUCK] = {"timeout",
                        "firmware did not let go of it within a second; it is halted, and its SMIs "
                        "are off, all the same. If the machine hangs or is slow, switch off legacy "
                        "USB support in the firmware set-up"},
    [BOOT_USB_UNREACHED] = {"unsupported",
                            "its registers do not answer, or lie where the loader cannot reach "
                            "them: firmware still thinks that it drives it. If the machine hangs "
                            "or is slow, switch off legacy USB support, or decoding above 4G, in "
                            "the firmware set-up"},
};

static const char *kind(uint8_t interface)
{
    return interface == 0x00   ? "uhci"
           : interface == 0x10 ? "ohci"
           : interface == 0x20 ? "ehci"
           : interface == 0x30 ? "xhci"
                               : "other";
}

void pci_usb_report(const struct boot_info *boot)
{
    for (uint32_t i = 0; i < MIN(boot->usb_count, (uint32_t)BOOT_MAX_USB); i++) {
        const struct boot_usb *usb = &boot->usb[i];
        unsigned result = usb->result < ARRAY_SIZE(results) ? usb->result : BOOT_USB_WAITING;
        log_event("usb.handoff", "rid=%s kind=%s status=%s message=\"%s\"",
                  rid_text(pci_rid_now(usb->rid)).text, kind(usb->interface),
                  results[result].status, results[result].message);
    }
}

void pci_usb_prepare_resets(void)
{
    struct pci_function *function;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++) {
        const struct pci_bar *bar = &function->bar[0];
        if (function->class_code == CLASS_XHCI && function->life != PCI_MISPLACED && !bar->io &&
            bar->base != 0 && bar->size >= RESET_REGISTERS)
            function->reset_registers = map_device(bar->base, RESET_REGISTERS);
    }
}
