/* SPDX-License-Identifier: MIT */
/* Which configuration space is believed and mapped. */
#include "hypervisor/base/log.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/pci/ecam.h"
#include "hypervisor/setup/pci.h"
#include "hypervisor/setup/pci_ram.h"

_Static_assert(ECAM_WINDOWS == MCFG_MAX_SEGMENTS, "a window for each segment");

static void refuse(const struct mcfg_segment *entry, const char *message)
{
    log_event("pci.refused", "segment=%u base=%#lx buses=%u-%u message=\"%s\"", entry->segment,
              entry->base, entry->start_bus, entry->end_bus, message);
}

static bool overlaps_window(const struct mcfg_segment *entry)
{
    for (size_t i = 0; i < ecam.count; i++)
        if (ecam.window[i].segment == entry->segment && ecam.window[i].first <= entry->end_bus &&
            entry->start_bus <= ecam.window[i].last)
            return true;
    return false;
}

static void add_window(const struct mcfg_segment *entry)
{
    if (entry->start_bus > entry->end_bus) {
        refuse(entry, "the bus range is empty; update the firmware");
        return;
    }
    uint64_t base = entry->base + ((uint64_t)entry->start_bus << ECAM_BUS_SHIFT);
    uint64_t size = (uint64_t)(entry->end_bus - entry->start_bus + 1) << ECAM_BUS_SHIFT;
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
    ecam.window[ecam.count++] =
        (struct ecam_window){address, entry->segment, entry->start_bus, entry->end_bus};
}

enum status ecam_init(const struct mcfg *mcfg)
{
    ecam.count = 0;
    for (uint32_t i = 0; i < mcfg->count && i < MCFG_MAX_SEGMENTS; i++)
        add_window(&mcfg->segment[i]);
    return ecam.count > 0 ? STATUS_OK : STATUS_NOT_FOUND;
}
