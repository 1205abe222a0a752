/* SPDX-License-Identifier: MIT */
/* The virtual PCI bus, found the way any operating system finds it: RSDP, XSDT, MCFG. */
#include "guest/runtime/runtime.h"

#define COMMAND            0x04
#define COMMAND_MEMORY     0x2u
#define COMMAND_BUS_MASTER 0x4u
#define CAP_POINTER        0x34
#define CAP_MSIX           0x11
#define SLOTS              32

uint64_t runtime_rsdp(void);

/* Unaligned little-endian loads: ACPI tables align nothing. */
static uint64_t load(uint64_t address, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)*(const volatile uint8_t *)(uintptr_t)(address + i) << (i * 8);
    return value;
}

uint64_t acpi_table(uint32_t signature)
{
    uint64_t rsdp = runtime_rsdp();
    if (rsdp == 0)
        return 0;
    bool extended = load(rsdp + 15, 1) >= 2;
    uint64_t directory = extended ? load(rsdp + 24, 8) : load(rsdp + 16, 4);
    unsigned width = extended ? 8 : 4; /* XSDT or RSDT */
    uint64_t end = directory + load(directory + 4, 4);
    for (uint64_t entry = directory + 36; entry + width <= end; entry += width) {
        uint64_t table = load(entry, width);
        if (load(table, 4) == signature)
            return table;
    }
    return 0;
}

uintptr_t pci_ecam(void)
{
    uint64_t mcfg = acpi_table(0x4746434d); /* "MCFG" */
    return mcfg != 0 ? (uintptr_t)load(mcfg + 44, 8) : 0;
}

bool pci_device(unsigned index, struct pci_device *device)
{
    uintptr_t base = pci_ecam();
    for (unsigned slot = 0; base != 0 && slot < SLOTS; slot++) {
        uintptr_t config = base + (slot << 15);
        uint32_t id = read32(config);
        if ((uint16_t)id == 0xffff || index-- != 0)
            continue;
        *device = (struct pci_device){
            .config = config, .vendor = (uint16_t)id, .device = (uint16_t)(id >> 16), .slot = slot};
        return true;
    }
    return false;
}

uint32_t config_read(const struct pci_device *device, unsigned offset)
{
    return read32(device->config + offset);
}

void config_write16(const struct pci_device *device, unsigned offset, uint16_t value)
{
    __asm__ volatile("movw %0, (%1)" : : "r"(value), "r"(device->config + offset) : "memory");
}

uintptr_t pci_bar(const struct pci_device *device, unsigned number)
{
    unsigned offset = 0x10 + number * 4;
    if (device->bars[number] != 0)
        return device->bars[number];
    uint32_t low = config_read(device, offset);
    if ((low & 1) != 0)
        return 0;
    uint64_t high = (low & 6) == 4 ? config_read(device, offset + 4) : 0;
    return (uintptr_t)(high << 32 | (low & ~0xfu));
}

void pci_enable(const struct pci_device *device)
{
    uint16_t command = (uint16_t)config_read(device, COMMAND);
    config_write16(device, COMMAND, (uint16_t)(command | COMMAND_MEMORY | COMMAND_BUS_MASTER));
}

bool pci_is_bus_master(const struct pci_device *device)
{
    return (config_read(device, COMMAND) & COMMAND_BUS_MASTER) != 0;
}

static unsigned capability(const struct pci_device *device, uint8_t id)
{
    unsigned offset = config_read(device, CAP_POINTER) & 0xfc;
    for (unsigned hops = 0; offset != 0 && hops < 48; hops++) {
        uint32_t header = config_read(device, offset);
        if ((uint8_t)header == id)
            return offset;
        offset = header >> 8 & 0xfc;
    }
    return 0;
}

bool pci_msix(const struct pci_device *device, unsigned number, uint8_t vector)
{
    unsigned offset = capability(device, CAP_MSIX);
    if (offset == 0)
        return false;
    uint32_t control = config_read(device, offset);
    uint32_t table = config_read(device, offset + 4);
    if (number > (control >> 16 & 0x7ff))
        return false;
    uintptr_t entry = pci_bar(device, table & 7) + (table & ~7u) + number * 16;
    write32(entry + 12, 1);
    write32(entry, 0xfee00000u | (own_apic_id() & 0xff) << 12);
    write32(entry + 4, own_apic_id() & ~0xffu);
    write32(entry + 8, vector);
    write32(entry + 12, 0);
    config_write16(device, offset + 2, 0x8000);
    return true;
}
