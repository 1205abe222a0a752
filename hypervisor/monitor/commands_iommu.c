/* SPDX-License-Identifier: MIT */
/* What stands between devices and memory: units, domains, and what they let through. */
#include "hypervisor/assign/assignment.h"
#include "hypervisor/base/format.h"
#include "hypervisor/guest/faults.h"
#include "hypervisor/iommu/fault.h"
#include "hypervisor/iommu/pf_dma.h"
#include "hypervisor/iommu/report.h"
#include "hypervisor/iommu/reserved.h"
#include "hypervisor/monitor/commands.h"
#include "hypervisor/monitor/console.h"
#include "hypervisor/monitor/decode.h"
#include "hypervisor/monitor/names.h"

void command_iommu(void)
{
    struct iommu_unit_report report;
    unsigned unit = 0;
    for (; iommu_unit_report(unit, &report); unit++) {
        console_printf("unit %u at %#lx, version %u.%u%s%s\n", unit, report.base,
                       report.version >> 4 & 0xf, report.version & 0xf,
                       report.usable ? "" : ", NOT USED: ", report.usable ? "" : report.refusal);
        if (!report.usable)
            continue;
        console_printf("  CAP 0x%016lx  ECAP 0x%016lx\n", report.capability,
                       report.extended_capability);
        console_printf("  GSTS 0x%08x: translation %s, interrupt remapping %s, queue %s, "
                       "compatibility-format %s\n",
                       report.global_status, decode_on_off(report.global_status, 31),
                       decode_on_off(report.global_status, 25),
                       decode_on_off(report.global_status, 26),
                       decode_on_off(report.global_status, 23));
        console_printf("  root table %#lx, interrupt table %#lx\n", report.root_table,
                       report.interrupt_table);
    }
    if (unit == 0)
        console_printf("no IOMMU\n");
}

static void show_domain(const struct iommu_domain *domain, const char *owner, const char *mapped)
{
    console_printf("%-5u %-12s %-7u %-8s %-7s", domain->id, owner, domain->table.levels,
                   size_text(domain->table.table_pages * PAGE_SIZE).text, mapped);
}

void command_domains(void)
{
    console_printf("%-5s %-12s %-7s %-8s %-7s %s\n", "id", "owner", "levels", "tables", "mapped",
                   "functions");
    for (unsigned i = 0; guest_at(i) != NULL; i++) {
        const struct guest *guest = guest_at(i);
        if (guest->domain.table.root == NULL)
            continue;
        show_domain(&guest->domain, guest->name, size_text(guest->memory_size).text);
        for (unsigned d = 0; d < guest->assignment_count; d++)
            console_printf(" %s%s", rid_text(guest->assignments[d]->function->rid).text,
                           pci_connected(guest->assignments[d]->function) ? "" : " (detached)");
        console_printf("\n");
    }
    const struct pf_dma *dma;
    for (unsigned i = 0; (dma = pf_dma_at(i)) != NULL; i++) {
        show_domain(&dma->domain, "(PF driver)", size_text(dma->pages * PAGE_SIZE).text);
        console_printf(" %s\n", rid_text(dma->function->rid).text);
    }
    const struct pci_function *function;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++) {
        const struct iommu_domain *domain = iommu_domain_of(function->rid);
        if (domain == NULL || !iommu_firmware_connected(function->rid))
            continue;
        show_domain(domain, "(firmware)", "-");
        console_printf(" %s\n", rid_text(function->rid).text);
    }
}

static void follow(char *const words[], void (*decode)(rid_t rid, uint64_t address))
{
    rid_t rid;
    uint64_t address;
    if (ask_device(words[1], &rid) && ask_number(words[2], "an address", &address))
        decode(rid, address);
}

void command_walk(char *const words[])
{
    follow(words, decode_walk);
}

void command_why(char *const words[])
{
    follow(words, decode_why);
}

void command_faults(void)
{
    const struct fault_record *record;
    for (unsigned i = 0; (record = fault_record(i)) != NULL; i++)
        console_printf("[%u.%06u] %s guest=%s %s address=%#lx reason %#x: %s\n",
                       (unsigned)(record->at_microseconds / 1000000),
                       (unsigned)(record->at_microseconds % 1000000),
                       rid_text(record->fault.rid).text, record->guest,
                       record->fault.interrupt ? "interrupt"
                       : record->fault.write   ? "write"
                                               : "read",
                       record->fault.address, record->fault.reason,
                       iommu_fault_reason(record->fault.reason));
    console_printf("%lu faults in all\n", fault_total());
}
