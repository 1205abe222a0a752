/* Configuration space by memory-mapped access (PCIe 7.2.2: 1 MiB a bus, 4 KiB a function). */
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/setup.h"
#include "hypervisor/pci/ram.h"

#include "hypervisor/base/log.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/address_space.h"

#define BUS_SHIFT 20

static struct window {
    uintptr_t address; /* of the first bus; 0: unusable */
    uint16_t segment;
    uint8_t first, last;
} windows[MCFG_MAX_SEGMENTS];
static size_t window_count;

static void refuse(const struct mcfg_segment *entry, const char *message)
{
    log_event("pci.refused", "segment=%u base=%#llx buses=%u-%u message=\"%s\"", entry->segment,
              (unsigned long long)entry->base, entry->start_bus, entry->end_bus, message);
}

static bool overlaps_window(const struct mcfg_segment *entry)
{
    for (size_t i = 0; i < window_count; i++)
        if (windows[i].segment == entry->segment && windows[i].first <= entry->end_bus &&
            entry->start_bus <= windows[i].last)
            return true;
    return false;
}

static void add_window(const struct mcfg_segment *entry)
{
    if (entry->start_bus > entry->end_bus) {
        refuse(entry, "the bus range is empty; update the firmware");
        return;
    }
    uint64_t base = entry->base + ((uint64_t)entry->start_bus << BUS_SHIFT);
    uint64_t size = (uint64_t)(entry->end_bus - entry->start_bus + 1) << BUS_SHIFT;
    if (entry->base == 0 || !IS_ALIGNED(entry->base, MIB(1)) || base < entry->base ||
        base > BIT(52) - size) {
        refuse(entry, "not an address of configuration space; update the firmware");
        return;
    }
    if (pci_overlaps_ram(base, size)) {
        refuse(entry, "MCFG points configuration space at RAM; update the firmware");
        return;
    }
    if (overlaps_window(entry)) {
        refuse(entry, "these buses were described before; the first description is used");
        return;
    }
    uintptr_t address = map_device(base, size);
    if (address == 0) {
        refuse(entry, "configuration space cannot be mapped: no memory for page tables");
        return;
    }
    windows[window_count++] =
        (struct window){address, entry->segment, entry->start_bus, entry->end_bus};
}

enum status ecam_init(const struct mcfg *mcfg)
{
    window_count = 0;
    for (uint32_t i = 0; i < mcfg->count && i < MCFG_MAX_SEGMENTS; i++)
        add_window(&mcfg->segment[i]);
    return window_count > 0 ? STATUS_OK : STATUS_NOT_FOUND;
}

/* The address of a register, 0 when it does not exist. */
static uintptr_t locate(rid_t rid, unsigned offset, unsigned width)
{
    bool width_ok = width == 1 || width == 2 || width == 4;
    if (!width_ok || offset >= PCI_CONFIG_SIZE || !IS_ALIGNED(offset, width))
        return 0;
    for (size_t i = 0; i < window_count; i++) {
        const struct window *window = &windows[i];
        uint8_t bus = RID_BUS(rid);
        if (window->segment == RID_SEGMENT(rid) && bus >= window->first && bus <= window->last)
            return window->address + ((uintptr_t)(bus - window->first) << BUS_SHIFT) +
                   ((uintptr_t)(rid & 0xff) << PAGE_SHIFT) + offset;
    }
    return 0;
}

uint32_t pci_config_read(rid_t rid, unsigned offset, unsigned width)
{
    uintptr_t address = locate(rid, offset, width);
    if (address == 0)
        return width == 1 ? 0xff : width == 2 ? 0xffff : 0xffffffff;
    if (width == 1)
        return mmio_read8(address);
    return width == 2 ? mmio_read16(address) : mmio_read32(address);
}

void pci_config_write(rid_t rid, unsigned offset, unsigned width, uint32_t value)
{
    uintptr_t address = locate(rid, offset, width);
    if (address == 0)
        return;
    if (width == 1)
        mmio_write8(address, (uint8_t)value);
    else if (width == 2)
        mmio_write16(address, (uint16_t)value);
    else
        mmio_write32(address, value);
}
