/* SPDX-License-Identifier: MIT */
#include "hypervisor/monitor/decode.h"

#include "hypervisor/base/string.h"
#include "hypervisor/iommu/fault.h"
#include "hypervisor/iommu/iommu.h"
#include "hypervisor/iommu/pf_dma.h"
#include "hypervisor/iommu/reserved.h"
#include "hypervisor/iommu/vtd_registers.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/monitor/commands.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/vcpu/backend.h"
#include "hypervisor/x86/cpu.h"

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

/* What a request meets on its way. */
struct look {
    struct iommu_unit_report unit;
    struct iommu_context_report context;
    struct page_walk walk;
    int unit_index;
    uint8_t stopped;     /* before any table is walked, or 0 */
    uint8_t read, write; /* what becomes of each: 0 for what is let through */
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

const char *decode_print(const char *text)
{
    for (; *text != '\0' && *text != '%'; text++)
        console_printf("%c", *text);
    return text + (*text == '%');
}

void decode_fault(const struct fault_record *record)
{
    const struct iommu_fault *fault = &record->fault;
    console_printf("[%u.%06u] %s guest=%s %s address=%#lx reason %#x: %s\n",
                   (unsigned)(record->at_microseconds / 1000000),
                   (unsigned)(record->at_microseconds % 1000000), rid_text(fault->rid).text,
                   record->guest,
                   fault->interrupt ? "interrupt"
                   : fault->write   ? "write"
                                    : "read",
                   fault->address, fault->reason, iommu_fault_reason(fault->reason));
}

void decode_each_domain(void (*visit)(const struct iommu_domain *domain))
{
    const struct pci_function *function;
    for (unsigned i = 0; guest_at(i) != NULL; i++)
        if (guest_at(i)->domain.table.root != NULL)
            visit(&guest_at(i)->domain);
    for (unsigned i = 0; pf_dma_at(i) != NULL; i++)
        visit(&pf_dma_at(i)->domain);
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++)
        if (iommu_firmware_connected(function->rid))
            visit(iommu_domain_of(function->rid));
}

/* --- tables of pages --- */

struct rights_text {
    char text[80];
};

static struct rights_text rights_text(unsigned rights)
{
    static const char *const words[] = {"read",    "write",      "execute", "uncached",
                                        "snooped", "other type", "combined"};
    struct rights_text list = {"not present"};
    size_t used = 0;
    for (unsigned bit = 0; bit < ARRAY_SIZE(words); bit++)
        if ((rights & BIT(bit)) != 0)
            used += format_text(list.text + used, sizeof list.text - used, "%s%s",
                                used != 0 ? " " : "", words[bit]);
    return list;
}

static void print_walk(const struct page_table *table, uint64_t address, const char *otherwise,
                       const struct page_walk *walk)
{
    static const char *const levels[] = {"", "PTE", "PDE", "PDPTE", "PML4E", "PML5E"};
    static const char *const pages[] = {"", ", 4K page", ", 2M page", ", 1G page"};
    for (unsigned i = 0; i < walk->steps; i++) {
        const struct page_walk_step *step = &walk->step[i];
        unsigned rights = table->format->rights(step->entry, step->level);
        console_printf("  level %u %-6s at %#lx = 0x%016lx  %s%s\n", step->level,
                       levels[step->level], step->entry_address, step->entry,
                       rights_text(rights).text,
                       rights == 0                                    ? ""
                       : page_entry_is_leaf(step->entry, step->level) ? pages[step->level]
                                                                      : ", table");
    }
    if (walk->steps == 0)
        console_printf("%s: %#lx is beyond the %u bits that the tables translate\n", otherwise,
                       address, PAGE_SHIFT + 9 * table->levels);
    else if (!walk->present)
        console_printf("%s: nothing is mapped at %#lx\n", otherwise, address);
    else
        console_printf("reaches %#lx (%s page, %s), owner %s\n", walk->physical,
                       size_text(walk->page_size).text, rights_text(walk->rights).text,
                       owner_name(frames_owner(walk->physical)));
}

void decode_guest_walk(const struct guest *guest, uint64_t address)
{
    struct page_walk walk;
    if (guest->memory.root == NULL) {
        console_printf("%s has no tables\n", guest->name);
        return;
    }
    console_printf("%s of %s, %u levels from %#lx\n",
                   text_equal(vcpu_backend()->name, "vmx") ? "EPT" : "NPT", guest->name,
                   guest->memory.levels, physical_address(guest->memory.root));
    page_table_walk(&guest->memory, address, &walk);
    print_walk(&guest->memory, address, "an exit", &walk);
}

/* --- interrupts --- */

static void print_interrupt(const struct iommu_irte_report *entry, rid_t source)
{
    static const char *const checks[] = {"NOT verified", "verified", "verified by its bus only",
                                         "verified in an unknown way"};
    const struct pci_function *function = pci_function_find(source);
    const struct cpu *cpu;
    for (unsigned i = 0; (cpu = cpu_at(i)) != NULL && cpu->apic_id != entry->destination; i++)
        ;
    const struct vcpu *vcpu = cpu != NULL ? cpu->vcpu : NULL;
    console_printf("  present, %s, %s, %s, source %s (%s) %s%s\n",
                   FIELD(entry->low, 7, 5) == 0 ? "fixed" : "NOT fixed",
                   (entry->low & BIT(4)) != 0 ? "level" : "edge",
                   (entry->low & BIT(2)) != 0 ? "logical" : "physical", rid_text(source).text,
                   function != NULL ? function->name : "no function", checks[entry->validation],
                   entry->qualifier != 0 ? " in part" : "");
    console_printf("reaches APIC id %u with vector %#x: %s\n", entry->destination, entry->vector,
                   cpu == NULL    ? "no core"
                   : vcpu == NULL ? "a core without a guest"
                                  : vcpu->guest->name);
}

void decode_interrupt(uint64_t index)
{
    struct iommu_unit_report unit;
    struct iommu_irte_report entry;
    unsigned i = 0;
    for (; iommu_unit_report(i, &unit); i++) {
        uint64_t table = unit.interrupt_table & VTD_IRTA_MASK;
        if (!unit.usable || index > UINT32_MAX ||
            !iommu_irte_report(unit.interrupt_table, (uint32_t)index, &entry)) {
            console_printf("unit %u: its table at %#lx has no entry %lu\n", i, table, index);
            continue;
        }
        console_printf("unit %u, entry %lu at %#lx = 0x%016lx 0x%016lx\n", i, index,
                       table + index * sizeof(struct vtd_irte), entry.high, entry.low);
        if (entry.present)
            print_interrupt(&entry, (rid_t)unit.segment << 16 | entry.source);
        else
            console_printf("blocked: the entry is not present\n");
    }
    if (i == 0)
        console_printf("no IOMMU\n");
}

/* --- what a device reaches --- */

static struct look look_at(rid_t rid, uint64_t address)
{
    const struct pci_function *function = pci_function_find(rid);
    struct look look = {.unit_index = function != NULL ? iommu_unit_of(function) : 0};
    if (look.unit_index < 0 || !iommu_unit_report((unsigned)look.unit_index, &look.unit) ||
        !look.unit.usable) {
        look.stopped = REASON_NO_UNIT;
    } else {
        iommu_context_report(look.unit.root_table, (uint16_t)rid, &look.context);
        const struct page_table *live = &look.context.live;
        if (!look.context.present)
            look.stopped = look.context.root_present ? REASON_CONTEXT : REASON_ROOT;
        else if (live->root == NULL || live->levels > PAGE_TABLE_MAX_LEVELS)
            look.stopped = REASON_TABLE;
        else
            page_table_walk(live, address, &look.walk);
    }
    unsigned rights = look.walk.present ? look.walk.rights : 0;
    look.read = look.write = look.stopped;
    if (look.stopped == 0 && look.walk.steps == 0)
        look.read = look.write = REASON_WIDTH;
    else if (look.stopped == 0) {
        look.read = (rights & PAGE_READ) != 0 ? 0 : REASON_READ;
        look.write = (rights & PAGE_WRITE) != 0 ? 0 : REASON_WRITE;
    }
    return look;
}

bool decode_context(const struct pci_function *function, struct iommu_context_report *context)
{
    *context = look_at(function->rid, 0).context;
    return context->present;
}

static void print_look(rid_t rid, uint64_t address, const struct look *look)
{
    static const char *const ends[] = {
        [REASON_ROOT] = "the requester has no context entry",
        [REASON_CONTEXT] = "the requester has no context entry",
        [REASON_TABLE] = "the table lies outside the hypervisor's memory",
    };
    const struct iommu_context_report *context = &look->context;
    if (pci_function_find(rid) == NULL)
        console_printf("no function %s is known; looking in unit 0 all the same\n",
                       rid_text(rid).text);
    if (look->stopped == REASON_NO_UNIT) {
        console_printf("blocked: no unit covers %s\n", rid_text(rid).text);
        return;
    }
    console_printf("unit %d at %#lx, root table %#lx\n", look->unit_index, look->unit.base,
                   look->unit.root_table);
    console_printf("  root entry = 0x%016lx  %s\n", context->root_entry,
                   context->root_present ? "present, context table" : "not present");
    if (context->root_present)
        console_printf("  context entry = 0x%016lx 0x%016lx  %s%s\n", context->context_high,
                       context->context_low,
                       !context->present                           ? "not present"
                       : VTD_CONTEXT_TT(context->context_low) == 0 ? "present, second level"
                                                                   : "present, NOT by second level",
                       context->fault_reporting_off ? ", faults not reported" : "");
    if ((context->pasid_low | context->pasid_high) != 0)
        console_printf("  PASID entry = 0x%016lx 0x%016lx\n", context->pasid_high,
                       context->pasid_low);
    if (context->present)
        console_printf("  domain %u, %u levels from %#lx\n", context->domain, context->levels,
                       context->table);
    if (look->stopped == 0)
        print_walk(&context->live, address, "blocked", &look->walk);
    else
        console_printf("blocked: %s\n", ends[look->stopped]);
}

void decode_walk(rid_t rid, uint64_t address)
{
    struct look look = look_at(rid, address);
    print_look(rid, address, &look);
}

/* --- why --- */

static void print_verdict(const char *access, uint8_t reason)
{
    if (reason == 0)
        console_printf("%s: let through\n", access);
    else if (reason == REASON_NO_UNIT)
        console_printf("%s: not translated by any unit\n", access);
    else
        console_printf("%s: blocked, reason %#x: %s\n", access, reason, iommu_fault_reason(reason));
}

static void print_function(const struct pci_function *function)
{
    const struct guest *guest = guest_of_owner(function->owner);
    console_printf("%s (%s) %04x:%04x%s, owner %s", rid_text(function->rid).text, function->name,
                   function->vendor, function->device,
                   function->is_vf ? ", a virtual function" : "", owner_name(function->owner));
    if (guest != NULL && !pci_connected(function))
        console_printf(", in no domain; that guest is %s", command_state(guest));
    console_printf("\n");
}

static void print_last_fault(rid_t rid)
{
    unsigned i = 0;
    while (fault_record(i) != NULL && fault_record(i)->fault.rid != rid)
        i++;
    console_printf(fault_record(i) != NULL ? "its latest fault: " : "it has no fault on record\n");
    if (fault_record(i) != NULL)
        decode_fault(fault_record(i));
}

void decode_why(rid_t rid, uint64_t address)
{
    const struct pci_function *function = pci_function_find(rid);
    struct look look = look_at(rid, address);
    if (function != NULL && !decode_masters(function))
        console_printf("its bus mastering is off, so it sends nothing; if it were on:\n");
    print_verdict("read", look.read);
    if (address >= VTD_INTERRUPT_RANGE_BASE && address < VTD_INTERRUPT_RANGE_END)
        console_printf(
            "write: an interrupt request; the interrupt table decides, not the domain\n");
    else
        print_verdict("write", look.write);
    if (function != NULL)
        print_function(function);
    print_look(rid, address, &look);
    print_last_fault(rid);
}
