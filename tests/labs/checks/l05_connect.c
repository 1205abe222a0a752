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
/* L5, steps 1 to 6: a function is put into a domain, and taken out again. */
#include "tests/labs/checks/vtd_bench.h"

static enum status connect(void)
{
    asking("iommu_connect()");
    return iommu_connect(function, &domain);
}

static enum status disconnect(void)
{
    asking("iommu_disconnect()");
    return iommu_disconnect(function, &domain);
}

static void expect_entry(void)
{
    struct iommu_context_report entry;
    machine_context(0, (uint16_t)function->rid, &entry);
    const char *name = rid_text(function->rid).text;
    expect(entry.root_present,
           "the root entry of bus %02x is not present: it points at the bus's context table (VT-d "
           "9.1)",
           RID_BUS(function->rid));
    for (unsigned i = 0; i < 256 && !entry.present; i++) {
        struct iommu_context_report other;
        machine_context(0, (uint16_t)((function->rid & 0xff00) | i), &other);
        expect(!other.present,
               "the context entry of index %#x is present instead of %s's, which is %#x: 5 bits of "
               "device, 3 of function",
               i, name, (unsigned)(function->rid & 0xff));
    }
    expect(entry.present, "the context entry of %s is not present", name);
    unsigned aw = (unsigned)(entry.context_high & 7) + 2;
    expect(aw == domain.table.levels,
           "context entry of %s: AW says %u levels, the table has %u (VT-d 9.3: AW is levels - 2)",
           name, aw, domain.table.levels);
    unsigned id = entry.context_high >> 8 & 0xffff;
    expect(id == domain.id,
           "context entry of %s: domain id %u instead of %u, in bits 23:8 of the upper half", name,
           id, domain.id);
    expect((entry.context_low & ~UINT64_C(0xfff)) == physical_address(domain.table.root),
           "context entry of %s: it points at %#llx, and the domain's table is at %#llx", name,
           (unsigned long long)(entry.context_low & ~UINT64_C(0xfff)),
           (unsigned long long)physical_address(domain.table.root));
    expect((entry.context_low & 0xe) == 0,
           "context entry of %s: bits 3:1 are %#x; translation type 0 is second level, and "
           "faults are to be reported",
           name, (unsigned)(entry.context_low & 0xe));
}

static void expect_costs(const char *what)
{
    expect(unit->counts.context_device == 1 && unit->counts.context_global == 0,
           "%s: %u context entries of one function were invalidated and %u times all; 1 and 0 are "
           "expected",
           what, unit->counts.context_device, unit->counts.context_global);
    expect(unit->counts.iotlb_domain == 1 && unit->counts.iotlb_global == 0,
           "%s: the IOTLB was invalidated %u times for one domain and %u times for all; 1 and 0 "
           "are expected",
           what, unit->counts.iotlb_domain, unit->counts.iotlb_global);
    expect(unit->counts.wait == 1,
           "%s: %u waits; both requests go into one list, with one wait behind it", what,
           unit->counts.wait);
    bool in = vtd_model_has_context(unit, (uint16_t)function->rid);
    expect((unit->counts.context_present != 0) == in,
           "%s: the context cache was told while the entry in memory was still %s: it may fetch "
           "that at once; first memory, then the caches",
           what, in ? "not present" : "present");
    vtd_model_counts_clear(unit);
}

/* The requests of one list, in the queue from its tail before. */
static void expect_order(uint64_t tail, const char *what)
{
    uint64_t first = vtd_model_memory(unit, (unit->iqa & BITS(63, 12)) + tail);
    expect(VTD_DESCRIPTOR_TYPE(first) == VTD_DESCRIPTOR_CONTEXT,
           "%s: the IOTLB is told before the context cache: a translation that is looked up in "
           "between is made with the old context entry, and stays",
           what);
}

/* Asked before each change: a cache that is not told goes on with what it has. */
static void in_and_out(const char *kind)
{
    char when[160];
    expect_blocked(0x1000, "before the function is connected", "nothing is mapped for it");
    expect(connect() == STATUS_OK, "iommu_connect() refuses, %s: %s", kind, host_log_text());
    expect_entry();
    snprintf(when, sizeof when, "connected, %s", kind);
    expect_reaches(0x201234, when);
    expect_blocked(SIZE, when, "the domain ends there");
    asking("a request of the device beside it");
    expect(!vtd_model_dma(unit, (uint16_t)(function->rid ^ 8), 0x1000, true).allowed,
           "the function beside it, which was not connected, gets through");
    expect_lawful(when);
    expect(disconnect() == STATUS_OK, "iommu_disconnect() refuses, %s: %s", kind, host_log_text());
    struct iommu_context_report entry;
    machine_context(0, (uint16_t)function->rid, &entry);
    expect(!entry.present, "the context entry of %s is still present after iommu_disconnect()",
           rid_text(function->rid).text);
    snprintf(when, sizeof when, "disconnected, %s", kind);
    expect_blocked(
        0x201234, when,
        "a stale entry of a cache is served: what is cleared in memory is still in the context "
        "cache or the IOTLB until it is invalidated (VT-d 6.5)");
    expect_lawful(when);
}

static void costs(void)
{
    machine_of(MODEL_CAP, MODEL_ECAP);
    uint64_t tail = unit->iqt;
    expect(connect() == STATUS_OK, "iommu_connect() refuses: %s", host_log_text());
    expect_costs("iommu_connect()");
    expect_order(tail, "iommu_connect()");
    tail = unit->iqt;
    expect(disconnect() == STATUS_OK, "iommu_disconnect() refuses: %s", host_log_text());
    expect_costs("iommu_disconnect()");
    expect_order(tail, "iommu_disconnect()");
}

/* Two functions of one bus. */
static void neighbours(void)
{
    machine_of(MODEL_CAP, MODEL_ECAP);
    struct pci_function *other = machine_function(function->rid ^ 8, NULL);
    expect(connect() == STATUS_OK, "iommu_connect() refuses: %s", host_log_text());
    size_t pages = pages_in_use();
    asking("iommu_connect() of the device beside it");
    expect(iommu_connect(other, &domain) == STATUS_OK,
           "iommu_connect() refuses the device beside it: %s", host_log_text());
    expect_reaches(0x201234, "after the device beside it was connected (their bus has one context "
                             "table)");
    expect(pages_in_use() == pages, "a second context table was made for bus %02x: it has one",
           RID_BUS(function->rid));
    expect(iommu_domain_of(function->rid) == &domain && iommu_domain_of(other->rid) == &domain,
           "the record of the second connection took the place of the first's: only a slot without "
           "a domain is free");
}

static void records(void)
{
    machine_of(MODEL_CAP, MODEL_ECAP);
    expect(iommu_domain_of(function->rid) == NULL, "a function that is not connected has a domain");
    expect(connect() == STATUS_OK, "iommu_connect() refuses: %s", host_log_text());
    expect(iommu_domain_of(function->rid) == &domain && domain.functions == 1,
           "the connection is not on record (vtd.connections, domain->functions): unmapping would "
           "reach no unit");
    expect(connect() == STATUS_BUSY, "a function was connected twice (STATUS_BUSY)");
    struct iommu_domain other = {0};
    asking("iommu_disconnect() from another domain");
    expect(iommu_disconnect(function, &other) == STATUS_NOT_FOUND,
           "it was taken out of a domain that it is not in");
    iommu_fault_reporting(function, false);
    expect(disconnect() == STATUS_OK, "iommu_disconnect() refuses: %s", host_log_text());
    expect(iommu_domain_of(function->rid) == NULL && domain.functions == 0,
           "the connection is still on record");
    struct iommu_context_report entry;
    machine_context(0, (uint16_t)function->rid, &entry);
    expect((entry.context_low & 2) != 0, "FPD (bit 1) is gone after iommu_disconnect(): a function "
                                         "that floods the fault log begins again");
    expect(entry.context_high == 0 && (entry.context_low & ~UINT64_C(2)) == 0,
           "the rest of the context entry is left: %#llx %#llx",
           (unsigned long long)entry.context_high, (unsigned long long)entry.context_low);
    expect(disconnect() == STATUS_NOT_FOUND, "it was disconnected twice (STATUS_NOT_FOUND)");
    expect(connect() == STATUS_OK, "iommu_connect() refuses: %s", host_log_text());
    expect_entry(); /* FPD was the owner's before */
}

static void refusals(void)
{
    machine_of(MODEL_CAP, MODEL_ECAP);
    host_pages_limit(pages_in_use());
    expect(connect() == STATUS_NO_MEMORY,
           "no page is left for a context table: STATUS_NO_MEMORY is expected");
    host_pages_limit(SIZE_MAX);
    size_t before = pages_in_use();
    asking("iommu_block() on a bus without a context table");
    (void)!iommu_block(RID(0, 250, 0, 0));
    expect(pages_in_use() == before,
           "a context table was made where none was asked for (`create` is false): blocking a "
           "function must not need memory");
    struct iommu_domain none = {0};
    asking("iommu_connect() with a domain that was never made");
    expect(iommu_connect(function, &none) == STATUS_UNSUPPORTED, "a domain with id 0 was accepted");
}

void lab_check(void)
{
    machine_of(MODEL_CAP, MODEL_ECAP);
    in_and_out("on a coherent unit");
    costs();
    machine_of(MODEL_CAP, MODEL_ECAP & ~VTD_ECAP_C);
    in_and_out("on a unit that does not snoop caches (ECAP.C is 0)");
    machine_of(MODEL_CAP | VTD_CAP_CM, MODEL_ECAP);
    in_and_out(
        "on a unit with caching mode (CAP.CM is 1), which remembers under domain id 0 that the "
        "function was blocked");
    neighbours();
    records();
    refusals();
}
