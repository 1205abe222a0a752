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
/* L12, step 5: what is forgotten below a context entry. */
#include "tests/labs/checks/scalable_bench.h"

static void expect_request(struct vtd_descriptor of, unsigned granularity, uint16_t id,
                           const char *what)
{
    asking("the request that follows %s", what);
    struct vtd_descriptor got = vtd_format.below(of);
    expect(VTD_DESCRIPTOR_TYPE(got.low) == VTD_DESCRIPTOR_PASID_CACHE,
           "%s is followed by a descriptor of type %u: the PASID cache is type 7 (VT-d 6.5.2.2)",
           what, VTD_DESCRIPTOR_TYPE(got.low));
    unsigned is = (unsigned)FIELD(got.low, 5, 4);
    expect(is == granularity,
           "%s is followed by a PASID-cache request of granularity %u; %u is expected: 0 is one "
           "domain's, 1 one PASID's, 3 all",
           what, is, granularity);
    expect(granularity == 3 || FIELD(got.low, 31, 16) == id,
           "%s is followed by a PASID-cache request for domain %u", what,
           (unsigned)FIELD(got.low, 31, 16));
    expect(
        (got.low & BITS(15, 6)) == 0 && FIELD(got.low, 63, 32) == 0 && got.high == 0,
        "reserved bits are set in %#llx %#llx: there is no source id in a PASID-cache request, and "
        "no PASID in one of a domain",
        (unsigned long long)got.high, (unsigned long long)got.low);
}

void lab_check(void)
{
    uint16_t id = (uint16_t)seeded("id", 1, 999, 5);
    char what[64];
    snprintf(what, sizeof what, "a context request for one function of domain %u", id);
    expect_request(vtd_context_of(id, RID(0, 1, 2, 3)), 0, id, what);
    expect_request(vtd_all_contexts(), 3, 0, "a context request for all");
    expect_request(vtd_context_of(0, RID(0, 1, 2, 3)), 3, 0,
                   "a context request under id 0, which a unit with caching mode needs");
    machine_of(MODEL_CAP, SCALABLE_ECAP);
    expect_lawful("the unit translates");
    expect(connect() == STATUS_OK, "iommu_connect() refuses: %s", host_log_text());
    expect(
        unit->counts.pasid_domain == 1 && unit->counts.pasid_global == 0,
        "iommu_connect(): PASID entries of one domain were invalidated %u times and %u times all; "
        "1 and 0 are expected",
        unit->counts.pasid_domain, unit->counts.pasid_global);
    expect_reaches(0x1000, "connected");
    expect(disconnect() == STATUS_OK, "iommu_disconnect() refuses: %s", host_log_text());
    expect_lawful("disconnected");
    machine_of(MODEL_CAP | VTD_CAP_CM, SCALABLE_ECAP);
    expect_blocked(0x1000, "before it is connected", "nothing is there");
    expect(connect() == STATUS_OK, "iommu_connect() refuses: %s", host_log_text());
    expect_reaches(0x1000, "connected, on a unit with caching mode");
    expect_lawful("connected, on a unit with caching mode");
}
