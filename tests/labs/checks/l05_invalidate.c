/* SPDX-License-Identifier: MIT */
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
/* L5, step 7: part of a domain goes, in the caches as well. */
#include "tests/labs/checks/vtd_bench.h"

static void unmap(uint64_t address, uint64_t size)
{
    asking("iommu_domain_unmap(%#llx, %#llx)", (unsigned long long)address,
           (unsigned long long)size);
    expect(iommu_domain_unmap(&domain, address, size) == STATUS_OK,
           "iommu_domain_unmap(%#llx, %#llx) refuses: %s", (unsigned long long)address,
           (unsigned long long)size, host_log_text());
}

static void connected(uint64_t cap, uint64_t ecap)
{
    machine_of(cap, ecap);
    expect(iommu_connect(function, &domain) == STATUS_OK, "iommu_connect() refuses: %s",
           host_log_text());
    for (uint64_t page = 0; page < 16; page++)
        expect_reaches(page * PAGE_SIZE, "before anything was unmapped");
    vtd_model_counts_clear(unit);
}

static void expect_gone(uint64_t from, uint64_t to, const char *what)
{
    for (uint64_t page = 0; page < 16; page++) {
        uint64_t address = page * PAGE_SIZE;
        if (address >= from && address < to)
            expect_blocked(address, what,
                           "a stale entry of the IOTLB is served: it keeps what it has until it is "
                           "told, page by "
                           "page or for the domain (VT-d 6.5.2.3)");
        else
            expect_reaches(address, what);
    }
    expect_lawful(what);
}

/* The function is behind the first of two units. */
static struct vtd_model *two_units(void)
{
    machine_reset();
    memset(&domain, 0, sizeof domain);
    unit = vtd_model_add(0xfed00000, MODEL_CAP, MODEL_ECAP);
    struct vtd_model *other = vtd_model_add(0xfed10000, MODEL_CAP, MODEL_ECAP);
    machine_drhd(0, false, 0xfed00000);
    machine_scope(SCOPE_ENDPOINT, 0, "2.0");
    machine_drhd(0, true, 0xfed10000);
    function = machine_function(RID(0, 0, 2, 0), NULL);
    expect(machine_start() == STATUS_OK &&
               iommu_domain_create(&domain, OWNER_GUEST(0)) == STATUS_OK &&
               iommu_domain_map(&domain, 0, AT, SIZE, RW) == STATUS_OK &&
               iommu_connect(function, &domain) == STATUS_OK,
           "two units could not be set up: %s", host_log_text());
    vtd_model_counts_clear(unit);
    vtd_model_counts_clear(other);
    return other;
}

/* Both have a function of the domain, and one of them does not answer. */
static void two_units_of_one_domain(uint64_t first)
{
    for (unsigned silent = 0; silent < 2; silent++) {
        struct vtd_model *other = two_units();
        expect(iommu_connect(machine_function(RID(0, 0, 3, 0), NULL), &domain) == STATUS_OK,
               "iommu_connect() refuses: %s", host_log_text());
        vtd_model_counts_clear(other);
        (silent == 0 ? unit : other)->queue_silent = true;
        asking("iommu_domain_unmap(), and unit %u of two does not answer", silent);
        expect(iommu_domain_unmap(&domain, first, 0x4000) != STATUS_OK,
               "unit %u of two does not answer and STATUS_OK was returned: what another unit says "
               "does not count for it",
               silent);
        expect((silent == 0 ? other : unit)->counts.wait == 1,
               "unit %u of two does not answer, and the other one was not asked: it goes on with "
               "what it has cached",
               silent);
    }
}

void lab_check(void)
{
    const uint64_t first = seeded("page", 1, 2, 1) * 0x4000;
    connected(MODEL_CAP, MODEL_ECAP);
    unmap(first, 0x4000);
    expect_gone(first, first + 0x4000, "after four pages were unmapped");
    expect(unit->counts.iotlb_page == 1 && unit->counts.iotlb_domain == 0,
           "four aligned pages: %u requests for pages and %u for the domain; one for 2^2 pages is "
           "enough, and other pages stay "
           "cached",
           unit->counts.iotlb_page, unit->counts.iotlb_domain);
    expect(unit->counts.wait == 1, "%u waits instead of 1", unit->counts.wait);

    connected(MODEL_CAP, MODEL_ECAP);
    unmap(0x3000, 0x3000);
    expect_gone(0x3000, 0x6000, "after three pages were unmapped");
    expect(unit->counts.iotlb_domain == 1,
           "three pages are not a power of two: 2^order pages can be "
           "named, so the whole domain is invalidated here");
    connected(MODEL_CAP, MODEL_ECAP);
    unmap(0x4000, 0x3000);
    expect_gone(0x4000, 0x7000, "after three pages were unmapped, the first of which is aligned");
    connected(MODEL_CAP, MODEL_ECAP);
    unmap(0x1000, 0x4000);
    expect_gone(0x1000, 0x5000,
                "after four pages that are not aligned to four pages were unmapped");

    connected(MODEL_CAP & ~VTD_CAP_PSI, MODEL_ECAP);
    unmap(first, 0x4000);
    expect_gone(first, first + 0x4000,
                "on a unit without page-selective invalidation (CAP.PSI is 0)");
    connected(MODEL_CAP & ~BITS(53, 48), MODEL_ECAP);
    unmap(first, 0x4000);
    expect_gone(first, first + 0x4000, "on a unit that takes one page a request (CAP.MAMV is 0)");

    connected((MODEL_CAP & ~BITS(53, 48)) | UINT64_C(2) << 48, MODEL_ECAP);
    unmap(first, 0x4000);
    expect(unit->counts.iotlb_page == 1,
           "four aligned pages on a unit that takes 2^2 pages a request (CAP.MAMV is 2): %u "
           "requests for pages instead of 1",
           unit->counts.iotlb_page);

    connected(MODEL_CAP, MODEL_ECAP);
    unit->queue_silent = true;
    asking("iommu_domain_unmap() on a unit that no longer answers");
    expect(iommu_domain_unmap(&domain, first, 0x4000) != STATUS_OK,
           "a unit does not answer and nobody heard: the memory would be given to somebody else "
           "while a device still reaches "
           "it");

    struct vtd_model *other = two_units();
    unmap(first, 0x4000);
    expect(
        other->counts.wait == 0,
        "the unit without any function of the domain was asked as well: it has nothing to forget");
    expect(unit->counts.wait == 1, "the unit with the function was asked %u times",
           unit->counts.wait);
    two_units_of_one_domain(first);
}
