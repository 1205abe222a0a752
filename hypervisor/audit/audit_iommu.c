/* SPDX-License-Identifier: MIT */
/* The audit of what devices can reach: each unit's tables, from its registers down. The registers
 * are read once: where the machine is itself a guest each read costs microseconds, and there are
 * 65536 requester ids to answer for. */
#include "hypervisor/audit/audit_internal.h"

#include "hypervisor/iommu/domain.h"
#include "hypervisor/iommu/iommu.h"
#include "hypervisor/iommu/pf_dma.h"
#include "hypervisor/iommu/report.h"
#include "hypervisor/iommu/reserved.h"
#include "hypervisor/iommu/vtd_registers.h"
#include "hypervisor/memory/pages.h"

#define SVT_REQUESTER_ID 1 /* VT-d 9.10: the source id is compared, as SQ says */
/* VT-d 9.10: logical destination, redirection hint, delivery other than fixed, posted. */
#define IRTE_MODES   (BIT(2) | BIT(3) | BITS(7, 5) | BIT(15))
#define FIRST_VECTOR 16

static struct iommu_unit_report reports[IOMMU_MAX_UNITS];
static unsigned unit_count;

void audit_units_read(void)
{
    unit_count = 0;
    while (unit_count < IOMMU_MAX_UNITS && iommu_unit_report(unit_count, &reports[unit_count]))
        unit_count++;
}

bool audit_is_platform(uint64_t base, uint64_t size)
{
    if (base < VTD_INTERRUPT_RANGE_END && base + size > VTD_INTERRUPT_RANGE_BASE)
        return true;
    for (unsigned unit = 0; unit < unit_count; unit++)
        if (base < reports[unit].base + MAX(reports[unit].registers_size, PAGE_SIZE) &&
            base + size > reports[unit].base)
            return true;
    return false;
}

/* --- I3: what a device can reach is RAM of its guest, or what firmware keeps for it --- */

/* Whether the table at `root` can be walked. */
static bool table_is_sound(struct audit *audit, struct audit_subject subject, uint64_t root,
                           const struct page_table *live)
{
    if (live->root != NULL && live->levels >= 3 && live->levels <= PAGE_TABLE_MAX_LEVELS)
        return true;
    audit_violation(audit, "I3", subject, root, live->levels,
                    "the context entry points at no table of the hypervisor's");
    return false;
}

/* Device and core see the same byte at the same address, or the device sees none. */
static bool same_as_core(const struct guest *guest, uint64_t address, uint64_t physical)
{
    struct page_walk walk;
    page_table_walk(&guest->memory, address, &walk);
    return walk.present && walk.physical == physical && (walk.rights & PAGE_DEVICE) == 0;
}

/* As domains were made since boot: a unit may be given up later, and the others' tables stay. SNP
 * is reserved on units without snoop control. */
static bool snoops_rightly(const struct page_walk *walk)
{
    bool snooped = (walk->rights & PAGE_SNOOPED) != 0, reserved = false;
    for (unsigned unit = 0; unit < unit_count; unit++)
        reserved = reserved ||
                   (reports[unit].usable && (reports[unit].extended_capability & VTD_ECAP_SC) == 0);
    return snooped == iommu_snoops() && !(snooped && reserved);
}

static void audit_domain(struct audit *audit, const struct guest *guest, uint64_t root,
                         const struct page_table *live)
{
    struct page_walk walk;
    if (!table_is_sound(audit, audit_guest(guest), root, live))
        return;
    for (uint64_t address = 0; page_table_next(live, &address, &walk); address += walk.page_size) {
        if (!audit_leaf(audit, "I3", audit_guest(guest), address, &walk))
            continue;
        if (!guest_memory_is(guest, address, walk.physical, walk.page_size) ||
            !frames_owned_by(walk.physical, walk.page_size, guest->owner))
            audit_violation(audit, "I3", audit_guest(guest), address, walk.physical,
                            "the DMA domain maps what is not the guest's RAM there");
        else if (!same_as_core(guest, address, walk.physical) ||
                 !same_as_core(guest, address + walk.page_size - PAGE_SIZE,
                               walk.physical + walk.page_size - PAGE_SIZE))
            audit_violation(audit, "I3", audit_guest(guest), address, walk.physical,
                            "the DMA domain maps what the guest's own tables do not");
        if (!snoops_rightly(&walk))
            audit_violation(audit, "I3", audit_guest(guest), address, walk.rights,
                            "snoop control (SNP) is not as the units have it");
    }
}

/* How far the function's regions reach from an address on; 0 when it is in none of them. */
static uint64_t region_end(const struct pci_function *function, uint64_t address)
{
    struct iommu_region region;
    uint64_t end = 0;
    for (unsigned cursor = 0; iommu_region_next(function, &cursor, &region);)
        if (region.refusal[0] == '\0' && address - region.base < region.size)
            end = MAX(end, region.base + region.size);
    return end;
}

/* All of a leaf is memory that firmware keeps for the function, at its own address. */
static bool in_regions(const struct pci_function *function, uint64_t address,
                       const struct page_walk *walk)
{
    uint64_t at = address, end = address + walk->page_size, next;
    while (at < end && (next = region_end(function, at)) != 0)
        at = next;
    return at >= end && walk->physical == address &&
           frames_owned_by(address, walk->page_size, OWNER_FIRMWARE);
}

/* A function of the host's that firmware uses reaches its reserved regions, and nothing else. */
static void audit_firmware(struct audit *audit, const struct pci_function *function, uint64_t root,
                           const struct page_table *live)
{
    struct page_walk walk;
    if (!table_is_sound(audit, audit_function(function->rid), root, live))
        return;
    for (uint64_t address = 0; page_table_next(live, &address, &walk); address += walk.page_size) {
        if (audit_leaf(audit, "I3", audit_function(function->rid), address, &walk) &&
            !in_regions(function, address, &walk))
            audit_violation(audit, "I3", audit_function(function->rid), address, walk.physical,
                            "the host's function reaches more than firmware keeps for it");
    }
}

/* --- I4: a context entry is present exactly where a function has an owner --- */

/* A PF's own domain: the pages that its driver shares with it, at one place, what firmware keeps
 * for it, and nothing else. */
static void audit_pf_domain(struct audit *audit, const struct pf_dma *dma,
                            const struct iommu_context_report *context)
{
    const struct page_table *live = &context->live;
    struct page_walk walk;
    if (dma->function->owner != OWNER_HYPERVISOR || context->domain != dma->domain.id ||
        VTD_CONTEXT_TT(context->context_low) != 0 || live->root == NULL || live->levels < 3 ||
        live->levels > PAGE_TABLE_MAX_LEVELS) {
        audit_violation(audit, "I4", audit_function(dma->function->rid), context->context_high,
                        context->context_low,
                        "the PF's context entry is not that of its own domain");
        return;
    }
    for (uint64_t address = 0; page_table_next(live, &address, &walk); address += walk.page_size)
        if (audit_leaf(audit, "I4", audit_function(dma->function->rid), address, &walk) &&
            !in_regions(dma->function, address, &walk) &&
            (walk.physical - physical_address(dma->memory) != address - PF_DMA_BASE ||
             address - PF_DMA_BASE >= dma->pages * PAGE_SIZE || walk.page_size != PAGE_SIZE ||
             frames_owner(walk.physical) != OWNER_HYPERVISOR))
            audit_violation(audit, "I4", audit_function(dma->function->rid), address, walk.physical,
                            "the PF's domain maps what its driver does not share with it");
}

static void audit_context(struct audit *audit, unsigned unit, rid_t rid,
                          const struct iommu_context_report *context)
{
    const struct pci_function *function = pci_function_find(rid);
    const struct guest *guest = function != NULL ? guest_of_owner(function->owner) : NULL;
    const struct pf_dma *dma = pf_dma_find(rid);
    if (dma != NULL && iommu_unit_of(dma->function) == (int)unit) {
        audit_pf_domain(audit, dma, context);
        return;
    }
    bool firmware = function != NULL && guest == NULL && iommu_firmware_connected(rid);
    const struct iommu_domain *domain = NULL;
    if (firmware)
        domain = iommu_domain_of(rid);
    else if (audit_connected(guest, rid) != NULL)
        domain = &guest->domain;
    if (domain == NULL || iommu_unit_of(function) != (int)unit) {
        audit_violation(audit, "I4", audit_function(rid), context->context_high,
                        context->context_low,
                        "a context entry is present for a requester without an owner");
        return;
    }
    if (context->domain != domain->id)
        audit_violation(audit, "I4", audit_function(rid), context->context_high,
                        context->context_low,
                        "its context entry names another domain than its owner's");
    if (VTD_CONTEXT_TT(context->context_low) != 0)
        audit_violation(audit, "I4", audit_function(rid), context->context_high,
                        context->context_low, "its context entry lets requests pass untranslated");
    if (firmware)
        audit_firmware(audit, function, context->table, &context->live);
    else
        audit_domain(audit, guest, context->table, &context->live);
}

static void audit_bus(struct audit *audit, unsigned unit, const struct iommu_unit_report *report,
                      unsigned bus)
{
    struct iommu_context_report context;
    audit->contexts += 256;
    for (unsigned low = 0; low < 256; low++) {
        uint16_t source = (uint16_t)(bus << 8 | low);
        iommu_context_report(report->root_table, source, &context);
        bool own = frames_owner(ALIGN_DOWN(context.root_entry, PAGE_SIZE)) == OWNER_HYPERVISOR;
        if (context.root_present && !own && low % 128 == 0)
            audit_violation(audit, "I4", audit_machine("unit"), report->base, context.root_entry,
                            "a context table lies in memory that is not the hypervisor's");
        /* Where there is no table nothing gets through. In scalable mode a bus has two. */
        if (!context.root_present || !own)
            low |= 127;
        else if (context.present)
            audit_context(audit, unit, (rid_t)report->segment << 16 | source, &context);
    }
}

/* The other direction: what has an owner is translated for it, by the unit that sees it. */
static void audit_missing(struct audit *audit)
{
    const struct pci_function *function;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++) {
        struct iommu_context_report context = {.present = false};
        int unit = iommu_unit_of(function);
        bool seen = unit >= 0 && (unsigned)unit < unit_count;
        /* A unit that was given up has lost what firmware and PFs had; quarantine takes an entry
         * and leaves it on record. */
        bool host =
            (iommu_firmware_connected(function->rid) || pf_dma_find(function->rid) != NULL) &&
            seen && reports[unit].usable && !pci_kept_back(function);
        if (!host && !audit_connected(guest_of_owner(function->owner), function->rid))
            continue;
        if (seen)
            iommu_context_report(reports[unit].root_table, (uint16_t)function->rid, &context);
        if (!context.present)
            audit_violation(audit, "I4", audit_function(function->rid), context.context_high,
                            context.context_low, "its owner's context entry is missing");
    }
}

/* --- I5: an interrupt entry delivers only to a core of the function's owner --- */

static void audit_interrupt(struct audit *audit, uint16_t segment, uint32_t index,
                            const struct iommu_irte_report *entry)
{
    rid_t rid = (rid_t)segment << 16 | entry->source;
    const struct pci_function *function = pci_function_find(rid);
    const struct guest *guest = function != NULL ? guest_of_owner(function->owner) : NULL;
    bool own_core = false;
    audit_check(audit, "I5")->looked++;
    for (unsigned i = 0; guest != NULL && i < guest->cpu_count; i++)
        own_core = own_core || guest->vcpus[i]->apic_id == entry->destination;
    if (entry->validation != SVT_REQUESTER_ID || entry->qualifier != 0)
        audit_violation(audit, "I5", guest != NULL ? audit_guest(guest) : audit_function(rid),
                        index, entry->high, "an interrupt entry does not verify its source");
    else if (guest == NULL || audit_connected(guest, rid) == NULL)
        audit_violation(audit, "I5", audit_function(rid), index, entry->low,
                        "an interrupt entry is present for a requester without an owner");
    else if (!own_core || entry->vector < FIRST_VECTOR || (entry->low & IRTE_MODES) != 0)
        audit_violation(audit, "I5", audit_guest(guest), index, entry->low,
                        "an interrupt entry delivers something other than a vector to one of its "
                        "owner's cores");
}

static void audit_interrupts(struct audit *audit, const struct iommu_unit_report *report)
{
    struct iommu_irte_report entry;
    uint64_t table = ALIGN_DOWN(report->interrupt_table, PAGE_SIZE);
    uint64_t size =
        ALIGN_UP(VTD_IRTA_ENTRIES(report->interrupt_table) * sizeof(struct vtd_irte), PAGE_SIZE);
    if (!frames_owned_by(table, size, OWNER_HYPERVISOR)) {
        audit_violation(audit, "I5", audit_machine("unit"), report->base, report->interrupt_table,
                        "the interrupt table lies in memory that is not the hypervisor's");
        return;
    }
    for (uint32_t index = 0; iommu_irte_report(report->interrupt_table, index, &entry); index++)
        if (entry.present)
            audit_interrupt(audit, report->segment, index, &entry);
}

/* --- a unit --- */

static void audit_unit(struct audit *audit, unsigned unit, const struct iommu_unit_report *report)
{
    bool translating = (report->global_status & VTD_GLOBAL_TE) != 0;
    bool own_root = frames_owner(ALIGN_DOWN(report->root_table, PAGE_SIZE)) == OWNER_HYPERVISOR;
    /* A unit that was refused may be as the firmware left it; nobody is given what it covers. One
     * that was given up later still translates with the hypervisor's tables. */
    if (!report->usable && !(translating && own_root))
        return;
    if (!translating)
        audit_violation(audit, "I4", audit_machine("unit"), report->base, report->global_status,
                        "translation is off");
    if (!own_root || (report->root_table & VTD_RTADDR_TTM) != report->table_mode) {
        audit_violation(audit, "I4", audit_machine("unit"), report->base, report->root_table,
                        "the root table is not the hypervisor's, or of another format");
        return;
    }
    for (unsigned bus = 0; bus < 256; bus++)
        audit_bus(audit, unit, report, bus);

    bool remapping = (report->global_status & VTD_GLOBAL_IRE) != 0;
    if (!remapping && iommu_remaps_interrupts())
        audit_violation(audit, "I5", audit_machine("unit"), report->base, report->global_status,
                        "interrupt remapping is off");
    if ((report->global_status & VTD_GLOBAL_CFI) != 0)
        audit_violation(audit, "I5", audit_machine("unit"), report->base, report->global_status,
                        "compatibility-format interrupts pass unchecked");
    if (remapping)
        audit_interrupts(audit, report);
}

void audit_units(struct audit *audit)
{
    for (unsigned unit = 0; unit < unit_count; unit++)
        audit_unit(audit, unit, &reports[unit]);
    audit_missing(audit);
    for (unsigned i = 0; guest_at(i) != NULL; i++) {
        const struct guest *guest = guest_at(i);
        /* The one that a start will point at, so that nothing starts with a wrong one. */
        if (guest->domain.table.root != NULL && !assignments_connected(guest))
            audit_domain(audit, guest, physical_address(guest->domain.table.root),
                         &guest->domain.table);
    }
}
