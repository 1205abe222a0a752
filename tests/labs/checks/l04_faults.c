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
/* L4, steps 6 to 9: each blocked request is reported once, whole, and in its turn. */
#include "tests/labs/checks/vtd_on_bench.h"

#define MOST 600

static struct iommu_fault seen[MOST];

static void turned_on(unsigned records)
{
    unit_of(MODEL_CAP | MODEL_CAP_NFR(records), MODEL_ECAP);
    start("the check's own unit");
}

static unsigned drain(const char *what)
{
    unsigned count = 0;
    asking("iommu_fault_next() until it has no more, %s", what);
    host_clock_advance(1000000);
    while (iommu_fault_next(&seen[count])) {
        count++;
        expect(count < MOST, "%s: iommu_fault_next() never comes to an end", what);
    }
    expect_lawful(what);
    return count;
}

/* F is write 1 to clear. */
static void freeing(void)
{
    turned_on(4);
    for (unsigned i = 0; i < 3; i++)
        vtd_model_fault(unit, 0x10, i * PAGE_SIZE, 5, true);
    asking("vtd_fault_free(1)");
    vtd_fault_free(&vtd.unit[0], 1);
    expect_lawful("vtd_fault_free()");
    expect((unit->frcd[1][1] & VTD_FRCD_HIGH_F) == 0,
           "vtd_fault_free(1): F of record 1 is still 1; F is bit 127, cleared by writing 1 to it, "
           "in 32 bits at offset 12 of the record (VT-d 11.4.7.6)");
    expect((unit->frcd[0][1] & unit->frcd[2][1] & VTD_FRCD_HIGH_F) != 0,
           "vtd_fault_free(1) freed another record as well: records are 16 bytes each");
}

static void old_records(void)
{
    unit_of(MODEL_CAP | MODEL_CAP_NFR(3), MODEL_ECAP);
    for (unsigned i = 0; i < 5; i++)
        vtd_model_fault(unit, 0x10, 0x1000, 5, true);
    unit->fectl = 0;
    asking("clear_faults(), with three old records and an overflow");
    (void)machine_table();
    expect(machine_init() == STATUS_OK, "the unit cannot be prepared: %s", host_log_text());
    expect_lawful("clear_faults()");
    expect((unit->fectl & VTD_FECTL_IM) != 0,
           "clear_faults(): the fault event is not masked (FECTL.IM): it would come before anybody "
           "is there to take it");
    for (unsigned i = 0; i < 3; i++)
        expect((unit->frcd[i][1] & VTD_FRCD_HIGH_F) == 0,
               "clear_faults(): record %u of 3 is still there (F is 1): what happened before we "
               "came would be reported as a guest's; CAP.NFR is one less than the records",
               i);
    expect(
        unit->counts.overflow_back == 0,
        "clear_faults(): FSTS.PFO was cleared while all records were in use: the next fault sets "
        "it again, and it stays; first the records, then PFO (VT-d 7.3.1)");
    expect((unit->fsts & VTD_FSTS_PFO) == 0,
           "clear_faults(): the overflow (FSTS.PFO) is still set, and while it is, the unit "
           "records nothing (VT-d 7.3.1)");
}

static void one(bool write, uint8_t reason)
{
    const uint16_t source =
        (uint16_t)(seeded("bus", 1, 200, 1) << 8 | seeded("device", 1, 31, 0x10) << 3 | 2);
    const uint64_t address = (uint64_t)seeded("page", 0x100, 0xfffff, 0x12345) << 12;
    machine_reset();
    unit = vtd_model_add(BASE, MODEL_CAP, MODEL_ECAP);
    machine_drhd(3, true, BASE); /* in segment 3 */
    start("the check's own unit");
    unit->pasid_rubbish = true;
    vtd_model_fault(unit, source, address | 0x234, reason, write);
    expect(drain("one fault") == 1, "a fault of %s was not reported exactly once",
           rid_text(source).text);
    const struct iommu_fault *got = &seen[0];
    expect(got->reason != 0x5a && got->address >> 16 != 0x5a5a5a5a5a5a,
           "a fault is reported with what stood in its record after F was cleared: the next fault "
           "may be in it by then; read all of it first, then free it");
    expect(RID_SEGMENT(got->rid) == 3,
           "the fault of a unit of segment 3 is reported for segment %u: a record has 16 bits of "
           "source id, the segment is the unit's",
           RID_SEGMENT(got->rid));
    expect((got->rid & 0xffff) == source, "the fault of %s is reported for %s: SID is bits 79:64",
           rid_text(source).text, rid_text(got->rid & 0xffff).text);
    expect(got->reason == reason,
           "reason %#x was recorded and %#x is reported: bits 103:96 of the record", reason,
           got->reason);
    expect(got->write == write, "a %s is reported as a %s: T (bit 126) is 1 for a read",
           write ? "write" : "read", write ? "read" : "write");
    expect(got->address == address,
           "the fault's address is %#llx, and %#llx is reported: FI is bits 63:12 of the record, "
           "the lower ones are reserved",
           (unsigned long long)address, (unsigned long long)got->address);
    expect(!got->interrupt && !got->overflow, "a DMA fault is reported as %s, reason %#x",
           got->interrupt ? "one of an interrupt" : "one with an overflow", reason);
}

static void interrupt_fault(void)
{
    const unsigned index = seeded("index", 1, 4000, 3071);
    turned_on(1);
    asking("an interrupt request with index %u", index);
    vtd_model_interrupt(unit, 0x10, VTD_MSI_ADDRESS | VTD_MSI_REMAPPABLE | VTD_MSI_HANDLE(index),
                        0);
    expect(drain("an interrupt request that was blocked") == 1,
           "an interrupt request that was blocked is not reported exactly once");
    expect(seen[0].interrupt,
           "reason %#x is one of an interrupt request (20h to 2Fh), reported as DMA",
           seen[0].reason);
    expect(seen[0].address == index,
           "an interrupt request with index %u is reported with %#llx: the index is bits 63:48 of "
           "the record",
           index, (unsigned long long)seen[0].address);
    for (unsigned reason = 0x20; reason <= 0x2f; reason += 0xf) {
        vtd_model_fault(unit, 0x10, (uint64_t)index << 48, (uint8_t)reason, true);
        expect(drain("the first and the last reason of interrupts") == 1 && seen[0].interrupt &&
                   seen[0].address == index,
               "reason %#x is one of an interrupt request (20h to 2Fh, both included), reported as "
               "%s at %#llx",
               reason, seen[0].interrupt ? "one" : "DMA", (unsigned long long)seen[0].address);
    }
}

static void expect_each(unsigned faults, unsigned first, const char *what)
{
    unsigned got = drain(what);
    for (unsigned i = 1; i < got; i++)
        expect(seen[i].address != seen[i - 1].address,
               "%s: the fault at %#llx was reported twice; F is not cleared, so the record stays "
               "in use and the unit soon has none left",
               what, (unsigned long long)seen[i].address);
    expect(got == faults, "%s: %u of %u faults were reported", what, got, faults);
    for (unsigned i = 0; i < faults; i++)
        expect(
            seen[i].address == (uint64_t)(first + i) << 12,
            "%s: fault %u in time is reported as number %u: the records are a ring, and FSTS.FRI "
            "says where the oldest is",
            what, (unsigned)(seen[i].address >> 12) - first, i);
}

static void ring(unsigned records, unsigned faults)
{
    char what[80];
    unsigned next = 1;
    turned_on(records);
    for (unsigned round = 0; round < 4; round++, next += faults) {
        snprintf(what, sizeof what, "%u faults in %u records, round %u", faults, records,
                 round + 1);
        for (unsigned i = 0; i < faults; i++)
            vtd_model_fault(unit, 0x10, (uint64_t)(next + i) << 12, 5, true);
        expect_each(faults, next, what);
        unsigned again = drain(what);
        expect(again == 0,
               "%s: %u of them were reported again; F is not cleared, so the record stays in use",
               what, again);
        for (unsigned i = 0; i < records; i++)
            expect((unit->frcd[i][1] & VTD_FRCD_HIGH_F) == 0,
                   "%s: record %u was reported and F is not cleared", what, i);
    }
}

static void overflow(void)
{
    turned_on(4);
    for (unsigned i = 0; i < 9; i++)
        vtd_model_fault(unit, 0x10, (uint64_t)(i + 1) << 12, 5, true);
    expect_each(4, 1, "nine faults in four records");
    expect(seen[0].overflow, "nine faults in four records: nobody is told that some are lost "
                             "(FSTS.PFO, which was read as the turn began)");
    expect((unit->fsts & VTD_FSTS_PFO) == 0,
           "nine faults in four records: FSTS.PFO is still set, and while it is, the unit records "
           "nothing more; it is cleared by writing 1 (VT-d 7.3.1)");
    vtd_model_fault(unit, 0x10, PAGE_SIZE, 5, true);
    expect(drain("one more fault") == 1 && !seen[0].overflow,
           "after an overflow the next fault is not reported, or reported as lost");
}

/* What else is in FSTS and in the ring. */
static void around(void)
{
    turned_on(4);
    for (unsigned i = 0; i < 4; i++)
        vtd_model_fault(unit, 0x10, (uint64_t)(i + 1) << 12, 5, true);
    unit->frcd[1][1] &= ~VTD_FRCD_HIGH_F;
    expect(drain("four records, of which the second is free") == 3,
           "four records, of which the second is free: what comes behind it is not reported; a "
           "record that is free ends nothing, each is looked at");
    turned_on(4);
    unit->fsts |= VTD_FSTS_PFO | VTD_FSTS_ICE;
    expect(drain("an overflow, and no record is in use") == 0, "a free record was reported");
    expect((unit->fsts & VTD_FSTS_PFO) == 0,
           "FSTS.PFO is set and no record is in use (PPF is 0): it is still set, and while it is, "
           "the unit records nothing more (VT-d 7.3.1)");
    expect((unit->fsts & VTD_FSTS_ICE) != 0,
           "FSTS.ICE was cleared, an error of the invalidation queue that nobody has seen: FSTS is "
           "write 1 to clear, so write PFO alone");
}

/* PFO is cleared when there is room: before, the next fault would overflow at once. */
static void while_they_go_on(unsigned faults)
{
    struct iommu_fault fault;
    turned_on(4);
    for (unsigned i = 0; i < faults; i++)
        vtd_model_fault(unit, 0x10, (uint64_t)(i + 1) << 12, 5, true);
    host_clock_advance(1000000);
    unsigned taken = 0;
    asking("iommu_fault_next() while a device goes on");
    while (iommu_fault_next(&fault)) {
        expect(faults <= 4 || (unit->fsts & VTD_FSTS_PFO) != 0,
               "FSTS.PFO is cleared while records are still in use: it comes back at once; first "
               "all records, then PFO (VT-d 7.3.1)");
        expect(++taken <= 4,
               "a device that faults as fast as its records are taken holds the core for ever: one "
               "look at each record a turn");
        vtd_model_fault(unit, 0x10, (uint64_t)taken << 12, 5, true);
    }
}

void lab_check(void)
{
    freeing();
    old_records();
    one(true, 5);
    one(false, 6);
    one(true, 0x1f);
    one(true, 0x30);
    interrupt_fault();
    ring(1, 1);
    ring(8, 3);
    ring(3, 2);
    ring(256, 256);
    overflow();
    around();
    while_they_go_on(2);
    while_they_go_on(5);
}
