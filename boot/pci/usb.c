/* SPDX-License-Identifier: MIT */
/*
 * While firmware owns a USB controller it drives it from SMM: for the keyboard in its set-up, or to
 * make a USB keyboard look like one behind an 8042. A controller whose bus mastering goes under it
 * reports a host system error, which is one more SMI, without end on some machines.
 */
#include "boot/pci/usb.h"

#include "boot/paging.h"
#include "boot/pci/ports.h"
#include "boot/pci/usb_registers.h"
#include "hypervisor/base/clock.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/pci/discovery.h"

#define HAND_OFF_TIME MILLISECONDS(1000)
#define HALT_TIME     MILLISECONDS(100)
#define CAPABILITIES  64u /* a list that goes on is a loop */

/* The registers behind a BAR, if this code can reach them: every page on the way is asked for. */
struct registers {
    uint64_t base;
    bool lost; /* something did not lie where it can be reached, or did not answer */
};

static uint32_t reg_read(struct registers *registers, uint64_t offset)
{
    uint64_t address = registers->base + offset;
    if (registers->lost || !paging_reaches(address))
        registers->lost = true;
    uint32_t value = registers->lost ? UINT32_MAX : mmio_read32((uintptr_t)address);
    return value;
}

static void reg_write(struct registers *registers, uint64_t offset, uint32_t value)
{
    uint64_t address = registers->base + offset;
    if (!registers->lost && paging_reaches(address))
        mmio_write32((uintptr_t)address, value);
}

static struct registers registers_of(rid_t rid)
{
    uint32_t bar = ports_read32(rid, PCI_BAR0);
    struct registers registers = {.base = bar & ~(uint32_t)PCI_BAR_MEM_FLAGS};
    if ((bar & PCI_BAR_TYPE_MASK) == PCI_BAR_TYPE_64)
        registers.base |= (uint64_t)ports_read32(rid, PCI_BAR0 + 4) << 32;
    registers.lost = (bar & PCI_BAR_IO) != 0 || registers.base == 0;
    registers.lost = reg_read(&registers, 0) == UINT32_MAX;
    return registers;
}

static enum boot_usb_result outcome(const struct registers *registers, bool released)
{
    return registers->lost ? BOOT_USB_UNREACHED : released ? BOOT_USB_TAKEN : BOOT_USB_STUCK;
}

/* --- xHCI 4.22.1, 7.1 --- */

static bool xhci_release(struct registers *registers, uint64_t at)
{
    uint32_t legacy = reg_read(registers, at);
    reg_write(registers, at, legacy | LEGSUP_OS_OWNED);
    bool released = (legacy & LEGSUP_BIOS_OWNED) == 0 ||
                    WAIT_UNTIL((reg_read(registers, at) & LEGSUP_BIOS_OWNED) == 0, HAND_OFF_TIME);
    if (!released)
        reg_write(registers, at, (legacy & ~LEGSUP_BIOS_OWNED) | LEGSUP_OS_OWNED);
    uint32_t control = reg_read(registers, at + LEGCTLSTS);
    reg_write(registers, at + LEGCTLSTS, (control & XHCI_LEGCTLSTS_KEEP) | LEGCTLSTS_EVENTS);
    return released;
}

static enum boot_usb_result xhci_take(rid_t rid)
{
    struct registers registers = registers_of(rid);
    bool released = true;
    uint64_t at = (uint64_t)(reg_read(&registers, XHCI_HCCPARAMS1) >> 16) << 2, next = at;
    for (unsigned i = 0; next != 0 && !registers.lost && i < CAPABILITIES; i++, at += next) {
        uint32_t header = reg_read(&registers, at);
        if ((header & 0xff) == XHCI_CAP_LEGACY)
            released = xhci_release(&registers, at);
        next = (uint64_t)(header >> 8 & 0xff) << 2;
    }
    uint64_t operational = reg_read(&registers, 0) & 0xff;
    uint32_t command = reg_read(&registers, operational + XHCI_USBCMD);
    reg_write(&registers, operational + XHCI_USBCMD, command & ~XHCI_USBCMD_ACTIVE);
    (void)WAIT_UNTIL((reg_read(&registers, operational + XHCI_USBSTS) & XHCI_USBSTS_HALTED) != 0,
                     HALT_TIME);
    return outcome(&registers, released);
}

/* --- EHCI 2.1.7, 5.1: its legacy support is in configuration space --- */

static bool ehci_release(rid_t rid, unsigned at)
{
    uint32_t legacy = ports_read32(rid, at);
    ports_write32(rid, at, legacy | LEGSUP_OS_OWNED);
    bool released = (legacy & LEGSUP_BIOS_OWNED) == 0 ||
                    WAIT_UNTIL((ports_read32(rid, at) & LEGSUP_BIOS_OWNED) == 0, HAND_OFF_TIME);
    if (!released)
        ports_write32(rid, at, (legacy & ~LEGSUP_BIOS_OWNED) | LEGSUP_OS_OWNED);
    ports_write32(rid, at + LEGCTLSTS, LEGCTLSTS_EVENTS);
    return released;
}

static enum boot_usb_result ehci_take(rid_t rid)
{
    struct registers registers = registers_of(rid);
    bool released = true;
    unsigned at = registers.lost ? 0 : reg_read(&registers, EHCI_HCCPARAMS) >> 8 & 0xfc;
    for (unsigned i = 0; at >= PCI_STANDARD_HEADER && i < CAPABILITIES; i++) {
        uint32_t header = ports_read32(rid, at);
        if ((header & 0xff) == EHCI_CAP_LEGACY)
            released = ehci_release(rid, at);
        at = header >> 8 & 0xfc;
    }
    uint64_t operational = reg_read(&registers, 0) & 0xff;
    uint32_t command = reg_read(&registers, operational + EHCI_USBCMD);
    reg_write(&registers, operational + EHCI_USBINTR, 0);
    reg_write(&registers, operational + EHCI_USBCMD, command & ~EHCI_USBCMD_ACTIVE);
    (void)WAIT_UNTIL((reg_read(&registers, operational + EHCI_USBSTS) & EHCI_USBSTS_HALTED) != 0,
                     HALT_TIME);
    return outcome(&registers, released);
}

/* --- OHCI 1.0a 5.1.1.3.3, 7.1 --- */

static enum boot_usb_result ohci_take(rid_t rid)
{
    struct registers registers = registers_of(rid);
    uint32_t control = reg_read(&registers, OHCI_CONTROL);
    bool released = (control & OHCI_CONTROL_ROUTED) == 0;
    if (!released) {
        reg_write(&registers, OHCI_INTERRUPT_ENABLE, OHCI_OWNERSHIP_CHANGE);
        reg_write(&registers, OHCI_COMMAND, OHCI_COMMAND_REQUEST);
        released = WAIT_UNTIL((reg_read(&registers, OHCI_CONTROL) & OHCI_CONTROL_ROUTED) == 0,
                              HAND_OFF_TIME);
    }
    reg_write(&registers, OHCI_INTERRUPT_DISABLE, UINT32_MAX);
    reg_write(&registers, OHCI_CONTROL, control & OHCI_CONTROL_KEEP); /* state: reset */
    return outcome(&registers, released);
}

/* --- UHCI 1.1 2.1, 5.2.1: nobody is asked, the traps of ports 60h and 64h go --- */

static enum boot_usb_result uhci_take(rid_t rid)
{
    ports_write16(rid, UHCI_LEGSUP, UHCI_LEGSUP_CLEAR);
    uint16_t base = (uint16_t)(ports_read32(rid, UHCI_BAR) & ~PCI_BAR_IO_FLAGS);
    if (base == 0 || (ports_read16(rid, PCI_COMMAND) & PCI_COMMAND_IO) == 0)
        return BOOT_USB_TAKEN;
    port_write16((uint16_t)(base + UHCI_USBINTR), 0);
    port_write16((uint16_t)(base + UHCI_USBCMD), 0);
    (void)WAIT_UNTIL((port_read16((uint16_t)(base + UHCI_USBSTS)) & UHCI_USBSTS_HALTED) != 0,
                     HALT_TIME);
    return BOOT_USB_TAKEN;
}

enum boot_usb_result usb_take(rid_t rid, uint8_t interface)
{
    bool decodes = (ports_read16(rid, PCI_COMMAND) & PCI_COMMAND_MEMORY) != 0;
    if (interface == USB_UHCI)
        return uhci_take(rid);
    if (!decodes || interface > USB_XHCI)
        return BOOT_USB_UNUSED;
    return interface == USB_XHCI   ? xhci_take(rid)
           : interface == USB_EHCI ? ehci_take(rid)
                                   : ohci_take(rid);
}
