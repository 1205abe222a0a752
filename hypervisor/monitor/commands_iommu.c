/* SPDX-License-Identifier: MIT */
/* What stands between devices and memory: units, domains, and what they let through. */
#include "hypervisor/base/string.h"
#include "hypervisor/monitor/commands.h"
#include "hypervisor/monitor/decode.h"

const char *iommu_words[IOMMU_MAX_UNITS];

void command_iommu(char *const words[])
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
        if (words[1] != NULL && iommu_words[unit] != NULL)
            (void)decode_print(iommu_words[unit]);
    }
    if (unit == 0)
        console_printf("no IOMMU\n");
}

static void list_domain(const struct iommu_domain *domain)
{
    const struct pci_function *function;
    struct page_walk walk;
    uint64_t mapped = 0;
    for (uint64_t at = 0; page_table_next(&domain->table, &at, &walk); at += walk.page_size)
        mapped += walk.page_size;
    console_printf("%-5u %-12s %-7u %-8s %-7s", domain->id, owner_name(domain->owner),
                   domain->table.levels, size_text(domain->table.table_pages * PAGE_SIZE).text,
                   size_text(mapped).text);
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++) {
        bool connected = iommu_domain_of(function->rid) == domain;
        if (connected || (function->owner == domain->owner && OWNER_IS_GUEST(domain->owner)))
            console_printf(" %s%s", rid_text(function->rid).text, connected ? "" : " (detached)");
    }
    console_printf("\n");
}

void command_domains(void)
{
    console_printf("%-5s %-12s %-7s %-8s %-7s %s\n", "id", "owner", "levels", "tables", "mapped",
                   "functions");
    decode_each_domain(list_domain);
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
    uint64_t number;
    const struct guest *guest;
    if (words[3] != NULL) {
        if ((guest = ask_guest(words[2])) != NULL && ask_number(words[3], "an address", &number))
            decode_guest_walk(guest, number);
    } else if (!text_equal(words[1], "irq")) {
        follow(words, decode_walk);
    } else if (ask_number(words[2], "an index", &number)) {
        decode_interrupt(number);
    }
}

void command_why(char *const words[])
{
    follow(words, decode_why);
}

void command_faults(void)
{
    for (unsigned i = 0; fault_record(i) != NULL; i++)
        decode_fault(fault_record(i));
    console_printf("%lu faults in all\n", fault_total());
}
