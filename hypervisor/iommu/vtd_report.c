/* SPDX-License-Identifier: MIT */
/*
 * What the hardware reads, for the monitor and the audit: registers first, then memory from the
 * addresses they hold. Nothing here is taken from this program's own records but where a unit's
 * registers are.
 */
#include "hypervisor/iommu/vtd.h"

#include "hypervisor/memory/pages.h"

bool iommu_unit_report(unsigned index, struct iommu_unit_report *report)
{
    if (index >= vtd.unit_count)
        return false;
    const struct vtd_unit *unit = &vtd.unit[index];
    *report = (struct iommu_unit_report){.base = unit->base,
                                         .registers_size = unit->registers_size,
                                         .segment = unit->segment,
                                         .usable = unit->usable,
                                         .refusal = unit->refusal};
    if (unit->registers == 0)
        return true;
    report->version = vtd_read32(unit, VTD_VER);
    report->capability = vtd_read64(unit, VTD_CAP);
    report->extended_capability = vtd_read64(unit, VTD_ECAP);
    report->table_mode = vtd_format.table_mode;
    report->global_status = vtd_read32(unit, VTD_GSTS);
    report->root_table = vtd_read64(unit, VTD_RTADDR);
    report->interrupt_table = vtd_read64(unit, VTD_IRTA);
    return true;
}

/* The table at an address the hardware holds; NULL when that is not the hypervisor's memory. */
static const volatile void *table_at(uint64_t physical)
{
    return physical == 0 ? NULL : virtual_address(physical);
}

WEAK void iommu_context_report(uint64_t root_table, uint16_t rid,
                               struct iommu_context_report *report)
{
    *report = (struct iommu_context_report){.root_present = false};
    const volatile struct vtd_root_entry *root = table_at(root_table & VTD_RTADDR_MASK);
    if (root == NULL)
        return;
    report->root_entry = root[RID_BUS(rid)].low;
    report->root_present = (report->root_entry & VTD_ROOT_P) != 0;
    if (!report->root_present)
        return;
    const volatile struct vtd_context_entry *context =
        table_at(report->root_entry & VTD_ROOT_ADDRESS);
    if (context == NULL)
        return;
    report->context_low = context[rid & 0xff].low;
    report->context_high = context[rid & 0xff].high;
    report->present = (report->context_low & VTD_CONTEXT_P) != 0;
    report->fault_reporting_off = (report->context_low & VTD_CONTEXT_FPD) != 0;
    report->domain = VTD_CONTEXT_ID(report->context_high);
    report->levels = (unsigned)FIELD(report->context_high, 2, 0) + 2;
    report->table = report->context_low & VTD_CONTEXT_ADDRESS;
    report->live = (struct page_table){.format = &page_format_vtd,
                                       .root = virtual_address(report->table),
                                       .levels = report->levels,
                                       .max_leaf_level = 3};
}

bool iommu_irte_report(uint64_t interrupt_table, uint32_t index, struct iommu_irte_report *report)
{
    *report = (struct iommu_irte_report){.present = false};
    const volatile struct vtd_irte *table = table_at(interrupt_table & VTD_IRTA_MASK);
    if (table == NULL || index >= VTD_IRTA_ENTRIES(interrupt_table))
        return false;
    report->low = table[index].low;
    report->high = table[index].high;
    report->present = (report->low & VTD_IRTE_P) != 0;
    report->source = VTD_IRTE_SID(report->high);
    report->validation = VTD_IRTE_SVT(report->high);
    report->qualifier = VTD_IRTE_SQ(report->high);
    report->vector = VTD_IRTE_VECTOR(report->low);
    report->destination = VTD_IRTE_DST(report->low);
    if ((interrupt_table & VTD_IRTA_EIME) == 0)
        report->destination = (report->destination >> 8) & 0xff;
    return true;
}
