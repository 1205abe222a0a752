/* SPDX-License-Identifier: MIT */
/*
 * Before anything else: bus mastering off, through the configuration ports (PCI local bus 3.0,
 * 3.2.2.3.2), which need neither memory nor tables. What firmware's drivers left running would
 * otherwise go on writing into memory that by now belongs to the hypervisor, until enumeration
 * gets there. The EFI application and the hypervisor are both linked with it.
 */
#include "boot/pci/silence.h"

#include "hypervisor/base/mmio.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/discovery.h"

#define ADDRESS_PORT 0xcf8
#define DATA_PORT    0xcfc
#define ENABLE       0x80000000u

static struct {
    bool reached[PCI_BUSES]; /* looked at, or queued */
    uint8_t queue[PCI_BUSES];
    unsigned queued;
} walk;

static uint64_t *silenced;

/* Selects the register; gives the port that its bytes are at. */
static uint16_t select(unsigned bus, unsigned device, unsigned function, unsigned offset)
{
    port_write32(ADDRESS_PORT,
                 ENABLE | (uint32_t)(bus << 16 | device << 11 | function << 8) | (offset & 0xfcu));
    return (uint16_t)(DATA_PORT + (offset & 3));
}

static void queue_bus(uint8_t bus)
{
    if (walk.reached[bus])
        return;
    walk.reached[bus] = true;
    walk.queue[walk.queued++] = bus;
}

/* The header type, all ones where there is no function. */
static uint8_t silence_function(unsigned bus, unsigned device, unsigned function)
{
    uint16_t vendor = port_read16(select(bus, device, function, PCI_VENDOR_ID));
    if (vendor == 0xffff || vendor == 0)
        return 0xff;
    uint8_t header = port_read8(select(bus, device, function, PCI_HEADER_TYPE));
    if ((header & 0x7f) == PCI_HEADER_BRIDGE) {
        queue_bus(port_read8(select(bus, device, function, PCI_SECONDARY_BUS)));
        return header;
    }
    uint16_t data = select(bus, device, function, PCI_COMMAND);
    uint16_t command = port_read16(data);
    if ((command & PCI_COMMAND_BUS_MASTER) != 0) {
        rid_t rid = RID(0, bus, device, function);
        silenced[rid / 64] |= BIT(rid % 64);
        port_write16(data, (uint16_t)(command & ~PCI_COMMAND_BUS_MASTER));
    }
    return header;
}

bool pci_silenced(rid_t rid)
{
    return silenced != NULL && RID_SEGMENT(rid) == 0 && (silenced[rid / 64] & BIT(rid % 64)) != 0;
}

static void silence_bus(unsigned bus)
{
    for (unsigned device = 0; device < PCI_DEVICES; device++) {
        uint8_t header = silence_function(bus, device, 0);
        if (header == 0xff || (header & PCI_HEADER_MULTI) == 0)
            continue;
        for (unsigned function = 1; function < PCI_FUNCTIONS; function++)
            (void)silence_function(bus, device, function);
    }
}

void pci_silence(bool all_buses, uint64_t found[PCI_REQUESTERS / 64])
{
    silenced = found;
    walk.queued = 0;
    for (unsigned bus = 0; bus < PCI_BUSES; bus++)
        walk.reached[bus] = false;
    queue_bus(0);
    for (unsigned done = 0; done < walk.queued; done++)
        silence_bus(walk.queue[done]);
    for (unsigned bus = 0; all_buses && bus < PCI_BUSES; bus++)
        if (!walk.reached[bus])
            silence_bus(bus);
}
