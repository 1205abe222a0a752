#include "hypervisor/monitor/audit.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/guest/device.h"
#include "hypervisor/guest/guest.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/frames.h"
#include "hypervisor/memory/pages.h"

#define UNITS_MAX        64
#define GSTS_TRANSLATION BIT(31) /* VT-d 11.4.4 */
#define GSTS_INTERRUPTS  BIT(25)
#define GSTS_COMPATIBLE  BIT(23)
#define IRTE_SVT_RID     1
#define FIRST_VECTOR     16

/* What was looked at and what was wrong. */
struct audit {
    unsigned violations;
    uint64_t leaves, contexts, entries, ranges;
};

static void violation(struct audit *audit, const char *invariant, const char *subject,
                      uint64_t where, uint64_t value, const char *message)
{
    audit->violations++;
    log_event("audit.violation", "invariant=%s subject=%s where=%#llx value=%#llx message=\"%s\"",
              invariant, subject, (unsigned long long)where, (unsigned long long)value, message);
}

/* I1: the ranges do not overlap, so that no frame has two owners. */
static void audit_frames(struct audit *audit)
{
    uint64_t end = 0;
    const struct frame_range *range;
    for (size_t i = 0; (range = frames_range(i)) != NULL; i++) {
        audit->ranges++;
        if (range->base < end)
            violation(audit, "I1", "frames", range->base, range->owner, "two owners of one frame");
        end = range->base + range->size;
    }
}

/* Every table page that a walk passes belongs to the hypervisor. */
static void audit_path(struct audit *audit, const char *invariant, const struct guest *guest,
                       const struct page_walk *walk)
{
    for (unsigned i = 0; i < walk->steps; i++)
        if (frames_owner(walk->step[i].entry_address) != OWNER_HYPERVISOR)
            violation(audit, invariant, guest->name, walk->step[i].entry_address,
                      walk->step[i].entry, "a table lies in memory that is not the hypervisor's");
}

/* I2: what a guest's core can reach is the guest's: RAM and registers alike have it as owner. */
static void audit_guest_memory(struct audit *audit, const struct guest *guest)
{
    struct page_walk walk;
    for (uint64_t address = 0; page_table_next(&guest->memory, &address, &walk);
         address += walk.page_size) {
        audit->leaves++;
        audit_path(audit, "I2", guest, &walk);
        if (!frames_owned_by(walk.physical, walk.page_size, guest->owner))
            violation(audit, "I2", guest->name, address, walk.physical,
                      "the guest's memory tables map what it does not own");
    }
}

/* I3: what a guest's device can reach is RAM of the guest. `table` is the live second-level root.
 */
static void audit_domain(struct audit *audit, const struct guest *guest,
                         const struct iommu_context_report *context)
{
    struct page_table live = guest->domain.table;
    struct page_walk walk;
    live.root = virtual_address(context->table);
    live.levels = context->levels;
    if (live.root == NULL) {
        violation(audit, "I3", guest->name, context->table, context->context_low,
                  "the context entry points outside the hypervisor's memory");
        return;
    }
    for (uint64_t address = 0; page_table_next(&live, &address, &walk); address += walk.page_size) {
        audit->leaves++;
        audit_path(audit, "I3", guest, &walk);
        if (walk.physical < guest->memory_base ||
            walk.physical + walk.page_size > guest->memory_base + guest->memory_size ||
            !frames_owned_by(walk.physical, walk.page_size, guest->owner))
            violation(audit, "I3", guest->name, address, walk.physical,
                      "the DMA domain maps what is not the guest's RAM");
    }
}

static const struct guest_device *attached_device(const struct guest *guest, rid_t rid)
{
    for (unsigned i = 0; guest != NULL && i < guest->device_count; i++)
        if (guest->devices[i]->function->rid == rid && guest->devices[i]->attached)
            return guest->devices[i];
    return NULL;
}

/* I4: a context entry is present exactly where a function has an owner, with the owner's domain. */
static void audit_context(struct audit *audit, unsigned unit, uint16_t rid)
{
    struct iommu_context_report context;
    const struct pci_function *function = pci_function_find(rid);
    const struct guest *guest = function != NULL ? guest_of_owner(function->owner) : NULL;
    bool expected = attached_device(guest, rid) != NULL && iommu_unit_of(function) == (int)unit;
    iommu_context_report(unit, rid, &context);
    audit->contexts++;
    if (context.present != expected) {
        violation(audit, "I4", rid_text(rid).text, context.context_high, context.context_low,
                  expected ? "its owner's context entry is missing"
                           : "a context entry is present for a requester without an owner");
        return;
    }
    if (!expected)
        return;
    if (context.domain != guest->domain.id)
        violation(audit, "I4", rid_text(rid).text, context.context_high, context.context_low,
                  "its context entry names another domain than its owner's");
    audit_domain(audit, guest, &context);
}

/* I5: an interrupt entry delivers only to a core of the function's owner and checks the source. */
static void audit_interrupt(struct audit *audit, uint32_t index,
                            const struct iommu_irte_report *entry)
{
    const struct pci_function *function = pci_function_find(entry->source);
    const struct guest *guest = function != NULL ? guest_of_owner(function->owner) : NULL;
    bool own_core = false;
    audit->entries++;
    for (unsigned i = 0; guest != NULL && i < guest->cpu_count; i++)
        own_core = own_core || guest->vcpus[i]->apic_id == entry->destination;
    if (attached_device(guest, entry->source) == NULL)
        violation(audit, "I5", rid_text(entry->source).text, index, entry->low,
                  "an interrupt entry is present for a requester without an owner");
    else if (entry->validation != IRTE_SVT_RID || entry->qualifier != 0)
        violation(audit, "I5", guest->name, index, entry->high,
                  "an interrupt entry does not verify its source");
    else if (!own_core || entry->vector < FIRST_VECTOR)
        violation(audit, "I5", guest->name, index, entry->low,
                  "an interrupt entry delivers to a core or vector that is not its owner's");
}

static void audit_unit(struct audit *audit, unsigned unit, const struct iommu_unit_report *report)
{
    struct iommu_irte_report entry;
    if (!report->usable)
        return;
    if ((report->global_status & GSTS_TRANSLATION) == 0)
        violation(audit, "I4", "unit", report->base, report->global_status, "translation is off");
    if (iommu_remaps_interrupts() && (report->global_status & GSTS_INTERRUPTS) == 0)
        violation(audit, "I5", "unit", report->base, report->global_status,
                  "interrupt remapping is off");
    if ((report->global_status & GSTS_COMPATIBLE) != 0)
        violation(audit, "I5", "unit", report->base, report->global_status,
                  "compatibility-format interrupts pass unchecked");
    if (frames_owner(ALIGN_DOWN(report->root_table, PAGE_SIZE)) != OWNER_HYPERVISOR)
        violation(audit, "I4", "unit", report->base, report->root_table,
                  "the root table lies in memory that is not the hypervisor's");
    for (uint32_t rid = 0; rid <= UINT16_MAX; rid++)
        audit_context(audit, unit, (uint16_t)rid);
    for (uint32_t index = 0; iommu_remaps_interrupts() && iommu_irte_report(unit, index, &entry);
         index++)
        if (entry.present)
            audit_interrupt(audit, index, &entry);
}

/* I6 as it can be seen: whatever has no context entry must not master the bus either. */
static void audit_bus_masters(struct audit *audit)
{
    for (size_t i = 0; i < pci_function_count(); i++) {
        const struct pci_function *function = pci_function_at(i);
        uint32_t command = pci_config_read(function->rid, PCI_COMMAND, 2);
        if (function->is_bridge || (command & PCI_COMMAND_BUS_MASTER) == 0)
            continue;
        if (attached_device(guest_of_owner(function->owner), function->rid) == NULL)
            violation(audit, "I6", rid_text(function->rid).text, PCI_COMMAND, command,
                      "a function without an owner masters the bus");
    }
}

/* The hypervisor's own tables on this core: nothing writable is executable, and no guest's memory
 * is mapped (the control core's window is closed between uses). */
static void audit_host(struct audit *audit)
{
    struct page_table host = {.format = &page_format_host,
                              .root = virtual_address(address_space_root()),
                              .levels = 4,
                              .max_leaf_level = 3};
    struct page_walk walk;
    for (uint64_t address = 0; host.root != NULL && page_table_next(&host, &address, &walk);
         address += walk.page_size) {
        audit->leaves++;
        if ((walk.rights & PAGE_WRITE) != 0 && (walk.rights & PAGE_EXECUTE) != 0)
            violation(audit, "W^X", "host", address, walk.physical, "writable and executable");
        if ((walk.rights & PAGE_DEVICE) == 0 && OWNER_IS_GUEST(frames_owner(walk.physical)))
            violation(audit, "I2", "host", address, walk.physical,
                      "a guest's memory is mapped on the control core");
    }
}

bool audit_run(void)
{
    struct audit audit = {0};
    struct iommu_unit_report report;
    audit_frames(&audit);
    audit_host(&audit);
    for (unsigned i = 0; guest_at(i) != NULL; i++)
        if (guest_at(i)->memory.root != NULL)
            audit_guest_memory(&audit, guest_at(i));
    for (unsigned unit = 0; unit < UNITS_MAX && iommu_unit_report(unit, &report); unit++)
        audit_unit(&audit, unit, &report);
    audit_bus_masters(&audit);
    if (audit.violations == 0)
        log_event("audit.ok", "ranges=%llu leaves=%llu contexts=%llu interrupts=%llu",
                  (unsigned long long)audit.ranges, (unsigned long long)audit.leaves,
                  (unsigned long long)audit.contexts, (unsigned long long)audit.entries);
    return audit.violations == 0;
}
