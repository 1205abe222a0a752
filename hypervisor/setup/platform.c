/* SPDX-License-Identifier: MIT */
/* Who owns the registers that belong to no device. */
#include "hypervisor/base/log.h"
#include "hypervisor/iommu/report.h"
#include "hypervisor/iommu/vtd_registers.h"
#include "hypervisor/memory/frames.h"
#include "hypervisor/setup/memory.h"
#include "hypervisor/setup/setup.h"

static void claim(uint64_t base, uint64_t size)
{
    const uint32_t from = BIT(OWNER_NONE) | BIT(OWNER_MMIO) | BIT(OWNER_FIRMWARE);
    if (frames_take(base, size, from, OWNER_HYPERVISOR) != STATUS_OK)
        log_event("memory.refused",
                  "base=%#lx size=%#lx message=\"these platform registers already have another "
                  "owner in the frame table\"",
                  base, size);
}

void platform_registers_claim(const struct tables *tables)
{
    struct iommu_unit_report unit;
    for (uint64_t page = VTD_INTERRUPT_RANGE_BASE; page < VTD_INTERRUPT_RANGE_END;
         page += PAGE_SIZE)
        claim(page, PAGE_SIZE);
    for (uint32_t i = 0; i < tables->madt.ioapic_count; i++)
        claim(ALIGN_DOWN((uint64_t)tables->madt.ioapic[i].address, PAGE_SIZE), PAGE_SIZE);
    for (unsigned i = 0; iommu_unit_report(i, &unit); i++)
        claim(ALIGN_DOWN(unit.base, PAGE_SIZE), ALIGN_UP(MAX(unit.registers_size, 1), PAGE_SIZE));
    for (uint32_t i = 0; i < tables->mcfg.count; i++) {
        const struct mcfg_segment *segment = &tables->mcfg.segment[i];
        claim(segment->base + ((uint64_t)segment->start_bus << 20),
              ((uint64_t)segment->end_bus - segment->start_bus + 1) << 20);
    }
}
