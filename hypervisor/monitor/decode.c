/* SPDX-License-Identifier: MIT */
#include "hypervisor/monitor/decode.h"

#include "hypervisor/base/format.h"
#include "hypervisor/guest/faults.h"
#include "hypervisor/iommu/fault.h"
#include "hypervisor/iommu/iommu.h"
#include "hypervisor/iommu/report.h"
#include "hypervisor/iommu/vtd_registers.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/monitor/console.h"
#include "hypervisor/monitor/names.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"

/* VT-d's reason codes, as the unit would record them. */
enum {
    REASON_ROOT = 0x01,
    REASON_CONTEXT = 0x02,
    REASON_WIDTH = 0x04,
    REASON_WRITE = 0x05,
    REASON_READ = 0x06,
    REASON_TABLE = 0x07,
    REASON_NO_UNIT = 0xff, /* not one of VT-d's */
};

const char *decode_on_off(uint64_t value, unsigned bit)
{
    return (value & BIT(bit)) != 0 ? "on" : "off";
}

bool decode_masters(const struct pci_function *function)
{
    uint32_t command = pci_config_read(function->rid, PCI_COMMAND, 2);
    return command != 0xffff && (command & PCI_COMMAND_BUS_MASTER) != 0;
}

bool decode_context(const struct pci_function *function, struct iommu_context_report *context)
{
    struct iommu_unit_report report;
    int unit = iommu_unit_of(function);
    if (unit < 0 || !iommu_unit_report((unsigned)unit, &report) || !report.usable)
        return false;
    iommu_context_report(report.root_table, (uint16_t)function->rid, context);
    return context->present;
}

static void print_leaf(uint64_t address, const struct page_walk *walk)
{
    static const char *const levels[] = {"", "PTE", "PDE", "PDPTE", "PML4E", "PML5E"};
    for (unsigned i = 0; i < walk->steps; i++)
        console_printf("  level %u %-6s at %#lx = 0x%016lx\n", walk->step[i].level,
                       levels[MIN(walk->step[i].level, 5u)], walk->step[i].entry_address,
                       walk->step[i].entry);
    if (!walk->present)
        console_printf("blocked: nothing is mapped at %#lx\n", address);
    else
        console_printf("reaches %#lx (%s page, %s%s), owner %s\n", walk->physical,
                       size_text(walk->page_size).text,
                       (walk->rights & PAGE_READ) != 0 ? "read" : "",
                       (walk->rights & PAGE_WRITE) != 0 ? " write" : "",
                       owner_name(frames_owner(walk->physical)));
}

/* Where the walk ends that a request takes: 0 for what is let through, else VT-d's reason code. */
struct verdict {
    uint8_t read, write;
};

static struct verdict verdict_of(const struct page_walk *walk)
{
    unsigned rights = walk->present ? walk->rights : 0;
    return (struct verdict){(rights & PAGE_READ) != 0 ? 0 : REASON_READ,
                            (rights & PAGE_WRITE) != 0 ? 0 : REASON_WRITE};
}

static struct verdict blocked(uint8_t reason)
{
    return (struct verdict){reason, reason};
}

static struct verdict walk_domain(const struct iommu_context_report *context, uint64_t address)
{
    struct page_walk walk;
    console_printf("  domain %u, %u levels from %#lx\n", context->domain, context->levels,
                   context->table);
    struct page_table live = {.format = &page_format_vtd,
                              .root = virtual_address(context->table),
                              .levels = context->levels,
                              .max_leaf_level = 3};
    if (live.root == NULL) {
        console_printf("the table lies outside the hypervisor's memory\n");
        return blocked(REASON_TABLE);
    }
    unsigned width = PAGE_SHIFT + 9 * context->levels;
    if (width < 64 && address >> width != 0) {
        console_printf("blocked: %#lx is beyond the domain's %u bits\n", address, width);
        return blocked(REASON_WIDTH);
    }
    page_table_walk(&live, address, &walk);
    print_leaf(address, &walk);
    return verdict_of(&walk);
}

static struct verdict walk(rid_t rid, uint64_t address)
{
    const struct pci_function *function = pci_function_find(rid);
    int unit = function != NULL ? iommu_unit_of(function) : 0;
    struct iommu_unit_report report;
    struct iommu_context_report context;
    if (function == NULL)
        console_printf("no function %s is known; looking in unit 0 all the same\n",
                       rid_text(rid).text);
    if (unit < 0 || !iommu_unit_report((unsigned)unit, &report) || !report.usable) {
        console_printf("blocked: no unit covers %s\n", rid_text(rid).text);
        return blocked(REASON_NO_UNIT);
    }
    iommu_context_report(report.root_table, (uint16_t)rid, &context);
    console_printf("unit %d at %#lx, root table %#lx\n", unit, report.base, report.root_table);
    console_printf("  root entry = 0x%016lx%s\n", context.root_entry,
                   context.root_present ? "" : ", not present");
    if (context.root_present)
        console_printf("  context entry = 0x%016lx 0x%016lx%s\n", context.context_high,
                       context.context_low, context.present ? "" : ", not present");
    if (!context.present) {
        console_printf("blocked: the requester has no context entry\n");
        return blocked(context.root_present ? REASON_CONTEXT : REASON_ROOT);
    }
    return walk_domain(&context, address);
}

void decode_walk(rid_t rid, uint64_t address)
{
    (void)walk(rid, address);
}

/* --- why --- */

static void print_function(const struct pci_function *function)
{
    console_printf("%s %04x:%04x%s, owner %s\n", rid_text(function->rid).text, function->vendor,
                   function->device, function->is_vf ? ", a virtual function" : "",
                   owner_name(function->owner));
    if (!decode_masters(function))
        console_printf("its bus mastering is off: it sends nothing at all, whatever follows\n");
}

static void print_verdict(const char *access, uint8_t reason)
{
    if (reason == 0)
        console_printf("%s: let through\n", access);
    else if (reason == REASON_NO_UNIT)
        console_printf("%s: not translated by any unit\n", access);
    else
        console_printf("%s: blocked, reason %#x: %s\n", access, reason, iommu_fault_reason(reason));
}

static void print_last_fault(rid_t rid)
{
    const struct fault_record *record;
    for (unsigned i = 0; (record = fault_record(i)) != NULL; i++) {
        if (record->fault.rid != rid)
            continue;
        console_printf("its latest fault: %s %#lx, reason %#x, guest %s\n",
                       record->fault.interrupt ? "interrupt"
                       : record->fault.write   ? "write to"
                                               : "read of",
                       record->fault.address, record->fault.reason, record->guest);
        return;
    }
    console_printf("it has no fault on record\n");
}

void decode_why(rid_t rid, uint64_t address)
{
    const struct pci_function *function = pci_function_find(rid);
    if (function != NULL)
        print_function(function);
    struct verdict verdict = walk(rid, address);
    if (address >= VTD_INTERRUPT_RANGE_BASE && address < VTD_INTERRUPT_RANGE_END) {
        console_printf(
            "write: an interrupt request; the interrupt table decides, not the domain\n");
    } else {
        print_verdict("write", verdict.write);
    }
    print_verdict("read", verdict.read);
    print_last_fault(rid);
}
