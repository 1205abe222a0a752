/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/iommu/vtd_scalable.c tests/unit/model/vtd_model_scalable.c
// SOURCES: hypervisor/setup/iommu_discover.c hypervisor/setup/iommu_scopes.c
// SOURCES: hypervisor/iommu/vtd_reserved.c
// SOURCES: hypervisor/iommu/vtd_domain.c hypervisor/iommu/vtd_fault.c
// SOURCES: hypervisor/setup/iommu_init.c hypervisor/setup/iommu_enable.c
// SOURCES: hypervisor/iommu/vtd_interrupt.c hypervisor/iommu/vtd_queue.c
// SOURCES: hypervisor/iommu/vtd_report.c hypervisor/iommu/vtd_unit.c hypervisor/acpi/dmar.c
// SOURCES: hypervisor/acpi/table.c hypervisor/memory/page_table.c hypervisor/memory/formats.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
// SOURCES: hypervisor/base/format.c hypervisor/base/text.c hypervisor/base/status.c
// SOURCES: tests/unit/model/vtd_model.c tests/unit/model/vtd_model_queue.c
// SOURCES: tests/unit/model/vtd_model_walk.c tests/unit/model/vtd_machine.c
// SOURCES: hypervisor/setup/iommu_quirks.c
// SOURCES: hypervisor/iommu/vtd_domain_destroy.c
/* L12, steps 3 and 4: from the context entry to the domain's second-stage tables. */
#include "tests/labs/checks/scalable_bench.h"

static void expect_context(struct vtd_context_entry entry)
{
    expect(entry.low != 0, "vtd_context_for() gives nothing, and there is memory");
    expect((entry.low & VTD_CONTEXT_P) != 0, "the context entry is not present: %#llx",
           (unsigned long long)entry.low);
    expect(
        (entry.low & (VTD_CONTEXT_DTE | VTD_CONTEXT_PASIDE)) == 0,
        "bits 3:2 of the context entry are %u: with DTE or PASIDE the device brings translations "
        "or PASIDs of its own (VT-d 9.4)",
        (unsigned)FIELD(entry.low, 3, 2));
    expect((entry.low & BITS(11, 4)) == 0 && (entry.high & BITS(63, 20)) == 0,
           "the context entry %#llx %#llx has more than P, directory and RID_PASID",
           (unsigned long long)entry.high, (unsigned long long)entry.low);
    expect(entry.high == 0,
           "RID_PASID is %#llx: requests without a PASID use the entry of that number, and entry 0 "
           "is the one that is written (in legacy mode AW and domain id stand here)",
           (unsigned long long)entry.high);
}

static void expect_pasid(struct vtd_context_entry entry, const struct iommu_domain *of)
{
    uint64_t directory = word_at(entry.low & VTD_PASID_ADDRESS, 0);
    expect((directory & VTD_PASID_P) != 0,
           "entry 0 of the PASID directory, %#llx, is not present: reason 51h",
           (unsigned long long)directory);
    uint64_t table = directory & VTD_PASID_ADDRESS;
    expect((directory & BITS(11, 2)) == 0 && table != 0 && table != (entry.low & VTD_PASID_ADDRESS),
           "entry 0 of the PASID directory, %#llx, does not lead to the PASID table",
           (unsigned long long)directory);
    expect((directory & VTD_PASID_FPD) == 0,
           "FPD is set in entry 0 of the PASID directory, %#llx: whatever is blocked below it is "
           "not reported",
           (unsigned long long)directory);
    uint64_t low = word_at(table, 0), high = word_at(table, 1);
    expect((low & VTD_PASID_P) != 0, "PASID entry 0, %#llx, is not present: reason 59h",
           (unsigned long long)low);
    expect(
        VTD_PASID_PGTT(low) == VTD_PASID_SECOND_STAGE,
        "PGTT of PASID entry 0 is %u: 2 is second stage, 1 first stage, and 4 lets everything pass "
        "untranslated (VT-d 9.6)",
        VTD_PASID_PGTT(low));
    expect(VTD_PASID_LEVELS(low) == of->table.levels,
           "AW of PASID entry 0 says %u levels, the table has %u: bits 4:2, levels - 2",
           VTD_PASID_LEVELS(low), of->table.levels);
    expect((low & VTD_PASID_ADDRESS) == physical_address(of->table.root),
           "PASID entry 0 leads to %#llx, and the domain's table is at %#llx%s",
           (unsigned long long)(low & VTD_PASID_ADDRESS),
           (unsigned long long)physical_address(of->table.root),
           of == &domain ? "" : ": an id that was somebody else's before has to be written anew");
    expect((low & (VTD_PASID_FPD | VTD_PASID_SSADE | BITS(11, 10) | BIT(5))) == 0,
           "PASID entry 0: bits 11:9, 5 and 1 of %#llx are to be 0", (unsigned long long)low);
    expect(VTD_PASID_DID(high) == of->id && high >> 16 == 0,
           "the second word of PASID entry 0 is %#llx: the domain id, %u, is in its bits 15:0",
           (unsigned long long)high, of->id);
    for (unsigned word = 2; word < 512; word++)
        expect(word_at(table, word) == 0,
               "word %u of the PASID table is %#llx: nothing but the first two words of entry 0",
               word, (unsigned long long)word_at(table, word));
}

static struct vtd_context_entry ask(const struct iommu_domain *of)
{
    asking("vtd_context_for(domain %u)", of->id);
    return vtd_context_for(of);
}

/* Where a function is connected the unit reads what is there: it is left alone. */
static void twice(struct vtd_context_entry first)
{
    uint64_t table = word_at(first.low & VTD_PASID_ADDRESS, 0) & VTD_PASID_ADDRESS;
    uint64_t *low = (uint64_t *)(uintptr_t)table;
    size_t pages = pages_in_use();
    domain.functions = 1;
    *low |= BIT(9);
    struct vtd_context_entry second = ask(&domain);
    expect(pages_in_use() == pages && second.low == first.low,
           "the second function of a domain got another PASID directory: all of a domain's share "
           "one");
    expect((*low & BIT(9)) != 0,
           "the PASID entry was written while a function is connected: the unit may read it half");
    domain.functions = 0;
}

/* The id is given back, and the next domain has it. */
static void again(void)
{
    static struct iommu_domain next;
    uint16_t id = domain.id;
    iommu_domain_destroy(&domain);
    expect(iommu_domain_create(&next, OWNER_GUEST(1)) == STATUS_OK && next.id == id &&
               iommu_domain_map(&next, 0, GIB(3), SIZE, RW) == STATUS_OK,
           "the check's second domain could not be made: %s", host_log_text());
    expect_pasid(ask(&next), &next);
}

static void in_and_out(uint64_t ecap, const char *kind)
{
    char when[96];
    machine_of(MODEL_CAP, ecap);
    expect(connect() == STATUS_OK, "iommu_connect() refuses, %s: %s", kind, host_log_text());
    snprintf(when, sizeof when, "connected, %s", kind);
    expect_reaches(0x201234, when);
    expect_blocked(SIZE, when, "the domain ends there");
    expect_lawful(when);
    expect(disconnect() == STATUS_OK, "iommu_disconnect() refuses, %s: %s", kind, host_log_text());
    expect_blocked(0x201234, "disconnected", "its context entry is gone");
    expect_lawful("disconnected");
}

void lab_check(void)
{
    machine_of(MODEL_CAP, SCALABLE_ECAP);
    host_pages_limit(pages_in_use());
    expect(ask(&domain).low == 0, "there is no memory for a PASID directory, and an entry came");
    host_pages_limit(SIZE_MAX);
    struct vtd_context_entry entry = ask(&domain);
    expect_context(entry);
    expect_pasid(entry, &domain);
    twice(entry);
    again();
    in_and_out(SCALABLE_ECAP, "on a coherent unit");
    in_and_out(SCALABLE_ECAP & ~VTD_ECAP_SMPWC, "on a unit that does not snoop these tables");
}
