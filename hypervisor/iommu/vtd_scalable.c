/* SPDX-License-Identifier: MIT */
/*
 * Scalable mode, for units whose tables are to be of that format (`make SCALABLE=1`): what
 * vtd_domain.c and its neighbours have for legacy mode, in its place. Second-stage translation of
 * requests without a PASID only. A function's context entry leads to the PASID directory of its
 * domain, the directory to a table, and entry RID_PASID of that to the domain's second-stage
 * tables, which are those of legacy mode.
 *
 *     root table [bus] --half--> context table [devfn] --> PASID directory --> PASID table --> ...
 */
#include "hypervisor/iommu/vtd_scalable.h"

#include "hypervisor/base/mmio.h"
#include "hypervisor/iommu/vtd_queue.h"
#include "hypervisor/memory/pages.h"

/* Of requests without a PASID, in every context entry. */
#define RID_PASID 0u

/* What a domain has beside its second-stage tables. It stays with the id, for the next domain that
 * has it: units look at it while a context entry leads there. */
struct pasid_pages {
    uint64_t directory[PAGE_SIZE / sizeof(uint64_t)];
    struct vtd_pasid_entry table[VTD_PASID_TABLE_ENTRIES];
};
_Static_assert(sizeof(struct pasid_pages) == 2 * PAGE_SIZE, "VT-d 9.5, 9.6");
static struct pasid_pages *pasids_of[VTD_MAX_DOMAINS];

const char *vtd_format_problem(struct vtd_unit *unit)
{
    /* Nothing is written to a unit that would take neither the root table nor the descriptors. */
    unit->answers = unit->answers && (unit->extended & VTD_ECAP_SMTS) != 0 &&
                    (unit->extended & VTD_ECAP_QI) != 0;
    if (!unit->answers)
        return "it has no scalable mode (ECAP.SMTS), which this build needs, and stays as it is; "
               "build without SCALABLE=1";
    if ((unit->extended & VTD_ECAP_SSTS) == 0)
        return "its scalable mode has no second-stage translation (ECAP.SSTS); build without "
               "SCALABLE=1";
    /* ECAP.C is for legacy mode's tables: where these are not snooped as well, all are flushed. */
    if ((unit->extended & VTD_ECAP_SMPWC) == 0)
        unit->extended &= ~VTD_ECAP_C;
    return NULL;
}

struct vtd_context_entry *vtd_context_at(const struct vtd_unit *unit, rid_t rid, bool create)
{
    struct vtd_root_entry *root = &unit->root[RID_BUS(rid)];
    uint64_t *half = (rid & 0x80) != 0 ? &root->high : &root->low;
    if ((*half & VTD_ROOT_P) == 0) {
        struct vtd_scalable_context *created = create ? pages_allocate(1) : NULL;
        if (created == NULL)
            return NULL;
        vtd_publish(unit, created, PAGE_SIZE);
        *half = physical_address(created) | VTD_ROOT_P;
        vtd_publish(unit, root, sizeof *root);
    }
    struct vtd_scalable_context *table = virtual_address(*half & VTD_ROOT_ADDRESS);
    return table == NULL ? NULL : &table[rid % VTD_SCALABLE_FUNCTIONS].first;
}

/* Nothing leads to the pages while no function is connected, so the order of these writes is free;
 * what a unit remembers of the id's last domain goes with the invalidation that follows each
 * context entry. */
static void write_pasid_entry(struct pasid_pages *pages, const struct iommu_domain *domain)
{
    struct vtd_pasid_entry *entry = &pages->table[RID_PASID % VTD_PASID_TABLE_ENTRIES];
    *entry = (struct vtd_pasid_entry){.low = physical_address(domain->table.root) |
                                             VTD_PASID_AW(domain->table.levels) |
                                             (uint64_t)VTD_PASID_SECOND_STAGE << 6 | VTD_PASID_P,
                                      .high = domain->id};
    pages->directory[RID_PASID / VTD_PASID_TABLE_ENTRIES] =
        physical_address(pages->table) | VTD_PASID_P;
}

struct vtd_context_entry vtd_context_for(const struct iommu_domain *domain)
{
    struct pasid_pages *pages = pasids_of[domain->id];
    if (pages == NULL)
        pages = pasids_of[domain->id] = pages_allocate(2);
    if (pages == NULL)
        return (struct vtd_context_entry){0};
    if (domain->functions == 0)
        write_pasid_entry(pages, domain);
    memory_fence();
    if (vtd.flush)
        cache_flush_range(pages, sizeof *pages);
    /* PDTS 0: 128 entries of the directory are looked at. No device TLB, no PASIDs of a device's.
     */
    return (struct vtd_context_entry){.low = physical_address(pages->directory) | VTD_CONTEXT_P,
                                      .high = RID_PASID};
}

/* A context entry that is forgotten takes what was read below it along: the PASID entries of its
 * domain, or all of them, where the request is for all or names no domain (id 0, what was
 * remembered of a blocked function). VT-d 6.5.2.2. Translations follow in the caller's list. */
static struct vtd_descriptor pasid_request(struct vtd_descriptor request)
{
    const uint64_t domain = FIELD(request.low, 31, 16), all = 3 << 4; /* granularity */
    bool named = FIELD(request.low, 5, 4) == 3 && domain != 0;
    uint64_t reach = named ? VTD_DESCRIPTOR_DID(domain) : all;
    return (struct vtd_descriptor){VTD_DESCRIPTOR_PASID_CACHE | reach, 0};
}

/* NULL unless the address is of the hypervisor's memory. */
static const volatile void *table_at(uint64_t entry)
{
    return (entry & VTD_PASID_P) == 0 ? NULL : virtual_address(entry & VTD_PASID_ADDRESS);
}

/* The second-stage tables that requests without a PASID are translated by, if they are. */
static void report_pasid(struct iommu_context_report *report)
{
    uint32_t pasid = VTD_CONTEXT_RID_PASID(report->context_high);
    const volatile uint64_t *directory = table_at(report->context_low);
    if (directory == NULL ||
        pasid / VTD_PASID_TABLE_ENTRIES >= UINT32_C(128) << VTD_CONTEXT_PDTS(report->context_low))
        return;
    const volatile struct vtd_pasid_entry *table =
        table_at(directory[pasid / VTD_PASID_TABLE_ENTRIES]);
    if (table == NULL)
        return;
    report->pasid_low = table[pasid % VTD_PASID_TABLE_ENTRIES].low;
    report->pasid_high = table[pasid % VTD_PASID_TABLE_ENTRIES].high;
    if ((report->pasid_low & VTD_PASID_P) == 0 ||
        VTD_PASID_PGTT(report->pasid_low) != VTD_PASID_SECOND_STAGE)
        return;
    report->domain = VTD_PASID_DID(report->pasid_high);
    report->levels = VTD_PASID_LEVELS(report->pasid_low);
    report->table = report->pasid_low & VTD_PASID_ADDRESS;
    report->live = (struct page_table){.format = &page_format_vtd,
                                       .root = virtual_address(report->table),
                                       .levels = report->levels,
                                       .max_leaf_level = 3};
}

void iommu_context_report(uint64_t root_table, uint16_t rid, struct iommu_context_report *report)
{
    *report = (struct iommu_context_report){.root_present = false};
    const volatile struct vtd_root_entry *root = NULL;
    if ((root_table & VTD_RTADDR_TTM) == VTD_RTADDR_SCALABLE)
        root = virtual_address(root_table & VTD_RTADDR_MASK);
    if (root == NULL)
        return;
    report->root_entry = (rid & 0x80) != 0 ? root[RID_BUS(rid)].high : root[RID_BUS(rid)].low;
    report->root_present = (report->root_entry & VTD_ROOT_P) != 0;
    const volatile struct vtd_scalable_context *contexts = table_at(report->root_entry);
    if (contexts == NULL)
        return;
    report->context_low = contexts[rid % VTD_SCALABLE_FUNCTIONS].first.low;
    report->context_high = contexts[rid % VTD_SCALABLE_FUNCTIONS].first.high;
    report->present = (report->context_low & VTD_CONTEXT_P) != 0;
    report->fault_reporting_off = (report->context_low & VTD_CONTEXT_FPD) != 0;
    if (report->present)
        report_pasid(report);
}

/* Annex "Fault conditions". */
static const char *reason_text(uint8_t reason)
{
    switch (reason) {
    case 0x31:
        return "the root table's format (RTADDR.TTM) is none that the unit has";
    case 0x50:
        return "the PASID directory could not be read";
    case 0x51:
        return "request blocked: no PASID directory entry: the domain has no PASID table";
    case 0x52:
        return "reserved bits are set in the PASID directory entry";
    case 0x58:
        return "the PASID table could not be read";
    case 0x59:
        return "request blocked: no PASID entry: the domain has no second-stage tables";
    case 0x5a:
        return "reserved bits are set in the PASID entry";
    case 0x5b:
        return "request blocked: PASID entry not valid on this unit";
    case 0x87:
        return "the address translates to the interrupt range";
    default:
        return "request blocked for an unknown reason of scalable mode";
    }
}

/* Descriptors of 256 bits: a unit takes no others in scalable mode (VT-d 6.5.2). */
const struct vtd_format vtd_format = {
    .table_mode = VTD_RTADDR_SCALABLE, .slots = 2, .below = pasid_request, .reason = reason_text};
