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
/* L12, step 6: what the audit and `walk` are told. */
#include "tests/labs/checks/scalable_bench.h"

static uint64_t directory[PAGE_SIZE / 8] __attribute__((aligned(PAGE_SIZE)));
static struct vtd_pasid_entry table[VTD_PASID_TABLE_ENTRIES] __attribute__((aligned(PAGE_SIZE)));
static struct vtd_context_entry *entry;

static struct iommu_context_report ask(const char *of)
{
    struct iommu_context_report report;
    asking("iommu_context_report() of %s", of);
    machine_context(0, (uint16_t)function->rid, &report);
    return report;
}

static void expect_table(const char *of)
{
    struct iommu_context_report report = ask(of);
    expect(report.present && report.live.root == domain.table.root,
           "%s: the second-stage table is at %#llx, and the report has %#llx", of,
           (unsigned long long)physical_address(domain.table.root),
           (unsigned long long)(uintptr_t)report.live.root);
    expect(report.domain == domain.id,
           "%s: domain %u, and the report has %u (bits 15:0 of the second "
           "word)",
           of, domain.id, report.domain);
    expect(report.levels == domain.table.levels && report.live.levels == report.levels,
           "%s: %u levels, and the report has %u and %u", of, domain.table.levels, report.levels,
           report.live.levels);
    expect(report.live.format == &page_format_vtd && report.live.max_leaf_level == 3,
           "%s: `live` is not of the format page_format_vtd with leaves of up to 1 GiB "
           "(max_leaf_level 3): who walks it would take a large page for a table",
           of);
    expect(report.pasid_low != 0 && report.table == (report.pasid_low & VTD_PASID_ADDRESS),
           "%s: the PASID entry itself is not in the report", of);
}

static void expect_none(const char *of, const char *why)
{
    struct iommu_context_report report = ask(of);
    expect(report.live.root == NULL, "%s: the report has a table to walk; %s", of, why);
}

/* The same entry under another number. */
static void under(uint32_t pasid)
{
    memset(directory, 0, sizeof directory);
    memset(table, 0, sizeof table);
    directory[pasid / 64] = physical_address(table) | VTD_PASID_P;
    table[pasid % 64] = (struct vtd_pasid_entry){
        .low = physical_address(domain.table.root) | VTD_PASID_AW(domain.table.levels) |
               (uint64_t)VTD_PASID_SECOND_STAGE << 6 | VTD_PASID_P,
        .high = domain.id};
    entry->low = physical_address(directory) | VTD_CONTEXT_P;
    entry->high = pasid;
}

void lab_check(void)
{
    char what[64];
    machine_of(MODEL_CAP, SCALABLE_ECAP);
    expect(iommu_connect(function, &domain) == STATUS_OK, "iommu_connect() refuses: %s",
           host_log_text());
    expect_table("a function that is connected");
    entry = vtd_context_at(&vtd.unit[0], function->rid, false);
    uint32_t pasid = seeded("pasid", 65, 8191, 70);
    under(pasid);
    snprintf(what, sizeof what, "RID_PASID %u", pasid);
    expect_table(what);
    directory[pasid / 64] &= ~(uint64_t)VTD_PASID_P;
    expect_none(what, "the PASID directory entry is not present (reason 51h)");
    under(pasid);
    table[pasid % 64].low &= ~(uint64_t)VTD_PASID_P;
    expect_none(what, "the PASID entry is not present (reason 59h)");
    for (unsigned type = 0; type < 8; type++) {
        under(pasid);
        table[pasid % 64].low = (table[pasid % 64].low & ~BITS(8, 6)) | (uint64_t)type << 6;
        snprintf(what, sizeof what, "a PASID entry with PGTT %u", type);
        if (type != VTD_PASID_SECOND_STAGE)
            expect_none(what,
                        "only type 2 is translated by second-stage tables; with type 4 nothing "
                        "is, and the audit would call that lawful");
    }
    under(6);
    entry->high = 8192 + 6;
    directory[(8192 + 6) / 64] = physical_address(table) | VTD_PASID_P;
    expect_none("RID_PASID 8198 with PDTS 0", "the directory has 128 entries, of 64 PASIDs each "
                                              "(VT-d 9.4: 2^(7 + PDTS))");
    entry->low |= UINT64_C(1) << 9;
    expect_table("RID_PASID 8198 with PDTS 1");
}
