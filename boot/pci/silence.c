/* SPDX-License-Identifier: MIT */
/*
 * Before anything else: bus mastering off, through the configuration ports, which need neither
 * memory nor tables. What firmware's drivers left running would
 * otherwise go on writing into memory that by now belongs to the hypervisor, until enumeration
 * gets there. The EFI application and the hypervisor are both linked with it.
 */
#include "boot/pci/silence.h"

#include "boot/pci/ports.h"
#include "boot/pci/usb.h"
#include "hypervisor/pci/config_space.h"

static struct {
    bool reached[PCI_BUSES]; /* looked at, or queued */
    uint8_t queue[PCI_BUSES];
    unsigned queued;
} walk;

static struct boot_info *info;

static void queue_bus(uint8_t bus)
{
    if (walk.reached[bus])
        return;
    walk.reached[bus] = true;
    walk.queue[walk.queued++] = bus;
}

static void silence_function(rid_t rid, bool noted)
{
    uint16_t command = ports_read16(rid, PCI_COMMAND);
    if ((command & PCI_COMMAND_BUS_MASTER) == 0)
        return;
    if (noted)
        info->silenced[rid / 64] |= BIT(rid % 64);
    ports_write16(rid, PCI_COMMAND, (uint16_t)(command & ~PCI_COMMAND_BUS_MASTER));
}

/* True for a USB controller that firmware is still to be asked for; the loader may have been there
 * before. */
static bool queue_usb(rid_t rid, uint32_t class_code)
{
    if (class_code >> 8 != USB_CLASS)
        return false;
    for (uint32_t i = 0; i < info->usb_count; i++)
        if (info->usb[i].rid == rid)
            return false;
    if (info->usb_count == BOOT_MAX_USB)
        return false;
    info->usb[info->usb_count++] = (struct boot_usb){
        .rid = (uint16_t)rid, .interface = (uint8_t)class_code, .result = BOOT_USB_WAITING};
    return true;
}

/* The header type, all ones where there is no function. */
static uint8_t look_at(rid_t rid)
{
    uint16_t vendor = ports_read16(rid, PCI_VENDOR_ID);
    if (vendor == 0xffff || vendor == 0)
        return 0xff;
    uint8_t header = ports_read8(rid, PCI_HEADER_TYPE);
    uint32_t class_code = ports_read32(rid, PCI_CLASS_REVISION) >> 8;
    if ((header & 0x7f) == PCI_HEADER_BRIDGE)
        queue_bus(ports_read8(rid, PCI_SECONDARY_BUS));
    else if (!queue_usb(rid, class_code) && !pci_is_chipset_display(rid, class_code))
        silence_function(rid, true);
    return header;
}

/* When all others are silent, as this may take a second. What firmware has let go of does not get
 * bus mastering back for firmware's sake. */
static void take_usb(void)
{
    for (uint32_t i = 0; i < info->usb_count; i++) {
        struct boot_usb *usb = &info->usb[i];
        if (usb->result != BOOT_USB_WAITING)
            continue;
        usb->result = (uint8_t)usb_take(usb->rid, usb->interface);
        silence_function(usb->rid,
                         usb->result == BOOT_USB_STUCK || usb->result == BOOT_USB_UNREACHED);
    }
}

bool pci_silenced(rid_t rid)
{
    return info != NULL && RID_SEGMENT(rid) == 0 && (info->silenced[rid / 64] & BIT(rid % 64)) != 0;
}

static void silence_bus(unsigned bus)
{
    for (unsigned device = 0; device < PCI_DEVICES; device++) {
        uint8_t header = look_at(RID(0, bus, device, 0));
        if (header == 0xff || (header & PCI_HEADER_MULTI) == 0)
            continue;
        for (unsigned function = 1; function < PCI_FUNCTIONS; function++)
            (void)look_at(RID(0, bus, device, function));
    }
}

void pci_silence(bool all_buses, struct boot_info *noted)
{
    info = noted;
    walk.queued = 0;
    for (unsigned bus = 0; bus < PCI_BUSES; bus++)
        walk.reached[bus] = false;
    queue_bus(0);
    for (unsigned done = 0; done < walk.queued; done++)
        silence_bus(walk.queue[done]);
    for (unsigned bus = 0; all_buses && bus < PCI_BUSES; bus++)
        if (!walk.reached[bus])
            silence_bus(bus);
    take_usb();
}
