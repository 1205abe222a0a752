/* SPDX-License-Identifier: MIT */
/* Memory and configuration space, as far as the firmware's page tables map them at their physical
 * addresses, where firmware has its tables, too (UEFI 2.3.4). */
#include "boot/efi/preflight.h"

#include "hypervisor/pci/ecam.h"
#include "hypervisor/x86/registers.h"

static uint64_t entry_of(uint64_t table, unsigned index)
{
    return ((const volatile uint64_t *)(uintptr_t)table)[index];
}

bool access_readable(uint64_t physical, uint64_t size)
{
    unsigned levels = (cr4_read() & CR4_LA57) != 0 ? 5 : 4;
    return preflight_mapped(cr3_read(), levels, physical, size, entry_of);
}

static const void *map(void *context, uint64_t physical, uint64_t size)
{
    (void)context;
    return access_readable(physical, size) ? (const void *)(uintptr_t)physical : NULL;
}

const struct acpi_memory access_memory = {map, NULL, NULL};

static bool is_ram(const struct boot_info *info, uint64_t base, uint64_t size)
{
    for (uint32_t i = 0; i < info->range_count; i++) {
        const struct boot_memory_range *range = &info->ranges[i];
        if (range->type != BOOT_MEMORY_RESERVED && range->type != BOOT_MEMORY_MMIO &&
            base < range->base + range->size && range->base < base + size)
            return true;
    }
    return false;
}

void access_configuration_space(const struct boot_info *info, const struct mcfg *mcfg)
{
    ecam.count = 0;
    for (uint32_t i = 0; i < mcfg->count && ecam.count < ECAM_WINDOWS; i++) {
        const struct mcfg_segment *entry = &mcfg->segment[i];
        uint64_t base = entry->base + ((uint64_t)entry->start_bus << ECAM_BUS_SHIFT);
        uint64_t size = (uint64_t)(entry->end_bus - entry->start_bus + 1) << ECAM_BUS_SHIFT;
        if (entry->start_bus > entry->end_bus || entry->base == 0 ||
            !IS_ALIGNED(entry->base, MIB(1)) || is_ram(info, base, size) ||
            !access_readable(base, size)) {
            log_event("pci.refused",
                      "segment=%u base=0x%lx buses=%u-%u message=\"MCFG points configuration space "
                      "at RAM, or where nothing is mapped; it is not read here\"",
                      entry->segment, entry->base, entry->start_bus, entry->end_bus);
            continue;
        }
        ecam.window[ecam.count++] =
            (struct ecam_window){(uintptr_t)base, entry->segment, entry->start_bus, entry->end_bus};
    }
}
