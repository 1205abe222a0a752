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
/* L12, step 2: the context entry of a requester id. */
#include "tests/labs/checks/scalable_bench.h"

static struct vtd_unit *own;

static uint64_t table_of(unsigned half, const struct vtd_root_entry *root)
{
    return half != 0 ? root->high : root->low;
}

static void expect_entry(unsigned segment, unsigned bus, unsigned device)
{
    const struct vtd_root_entry *root = &own->root[bus];
    rid_t rid = RID(segment, bus, device, 3);
    unsigned half = device >> 4, index = rid & 0x7f;
    uint64_t other = table_of(!half, root);
    asking("vtd_context_at(%s, true)", rid_text(rid).text);
    uint64_t got = (uint64_t)(uintptr_t)vtd_context_at(own, rid, true);
    expect(got != 0, "no entry for %s, and there is memory", rid_text(rid).text);
    expect(table_of(!half, root) == other,
           "%s changed the %s half of bus %02x's root entry: that is for devices %s (VT-d 9.2)",
           rid_text(rid).text, half != 0 ? "lower" : "upper", bus,
           half != 0 ? "00h to 0fh" : "10h to 1fh");
    uint64_t entry = table_of(half, root);
    expect((entry & VTD_ROOT_P) != 0,
           "the %s half of bus %02x's root entry, %#llx, is not present%s",
           half != 0 ? "upper" : "lower", bus, (unsigned long long)entry,
           segment != 0 ? ": bits 31:16 of a rid_t are the segment, and the bus is RID_BUS()" : "");
    uint64_t wanted = (entry & VTD_ROOT_ADDRESS) + index * 32ull;
    expect(
        got == wanted,
        "the entry of %s is at offset %#llx of its table, not at %#llx: 128 entries of 32 bytes, "
        "seven bits of device and function",
        rid_text(rid).text, (unsigned long long)(got - (entry & VTD_ROOT_ADDRESS)),
        (unsigned long long)(index * 32ull));
    size_t pages = pages_in_use();
    expect((uint64_t)(uintptr_t)vtd_context_at(own, rid, true) == got && pages_in_use() == pages,
           "asked twice, %s has another entry, or another table was made", rid_text(rid).text);
    expect((uint64_t)(uintptr_t)vtd_context_at(own, rid, false) == got,
           "%s has no entry when `create` is false, although the table is there",
           rid_text(rid).text);
}

void lab_check(void)
{
    unsigned bus = seeded("bus", 1, 200, 1), low = seeded("low", 0, 15, 2);
    machine_of(MODEL_CAP, SCALABLE_ECAP);
    own = &vtd.unit[0];
    size_t pages = pages_in_use();
    asking("vtd_context_at(..., false) on a bus without tables");
    expect(vtd_context_at(own, RID(0, bus, 0, 0), false) == NULL && pages_in_use() == pages &&
               own->root[bus].low == 0,
           "a table was made, or an entry found, where nothing is and `create` is false");
    expect_entry(0, bus, low);
    expect(vtd_context_at(own, RID(0, bus, 16 + low, 3), false) == NULL,
           "device %02xh has an entry, and only the table of devices 00h to 0fh was made",
           16 + low);
    expect_entry(0, bus, 16 + low);
    expect_entry(1, bus + 2, low);
    host_pages_limit(pages_in_use());
    expect(vtd_context_at(own, RID(0, bus + 1, 0, 0), true) == NULL,
           "an entry without memory for its table");
    host_pages_limit(SIZE_MAX);
    machine_of(MODEL_CAP, SCALABLE_ECAP & ~VTD_ECAP_C);
    asking("a request, after vtd_context_at() on a unit that does not snoop");
    rid_t other = RID(0, bus + 40, 16 + low, 0);
    uint64_t before = vtd_model_memory(unit, unit->root + (bus + 40) * 16 + 8);
    (void)vtd_context_at(&vtd.unit[0], other, true);
    uint64_t seen = vtd_model_memory(unit, unit->root + (bus + 40) * 16 + 8);
    expect((before & VTD_ROOT_P) == 0 && (seen & VTD_ROOT_P) != 0,
           "the upper half of bus %02x's root entry was written, and a unit that does not snoop "
           "caches sees %#llx: vtd_publish() follows the write",
           bus + 40, (unsigned long long)seen);
    (void)vtd_context_at(&vtd.unit[0], function->rid, true);
    (void)vtd_model_dma(unit, (uint16_t)function->rid, 0x1000, true);
    expect_lawful("table made on a unit that does not snoop caches (vtd_publish())");
}
