/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/assign/assignment.c hypervisor/memory/frames.c hypervisor/memory/page_table.c
// SOURCES: hypervisor/pci/life.c hypervisor/assign/assignment_check.c
// SOURCES: hypervisor/memory/formats.c hypervisor/base/format.c hypervisor/base/status.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
// SOURCES: hypervisor/base/string.c hypervisor/base/text.c hypervisor/setup/frames.c
/* L8, step 5: a device's registers in its guest's memory, with the MSI-X table's pages left out. */
#define cache_flush_range cache_flush_range_of_the_bench
#include "tests/labs/checks/ept_bench.h"
#undef cache_flush_range
#include "tests/unit/support/device_fixture.h"

typedef unsigned long long number;

static const char *owner_name(owner_t owner)
{
    return owner == OWNER_GUEST(0)     ? "alpha"
           : owner == OWNER_HYPERVISOR ? "the hypervisor"
           : owner == OWNER_MMIO       ? "no guest (OWNER_MMIO)"
                                       : "nobody";
}

static uint64_t table_at, bar_size;

static void begin(void)
{
    expect(fresh(NULL) == 0, "the check's own machine cannot be made");
    bar_size = UINT64_C(0x4000) << seeded("size", 0, 2, 1);
    table_at = PAGE_SIZE * seeded("table", 1, 2, 2);
    function.bar[3].size = bar_size;
    layout.table_offset = (uint32_t)table_at;
    layout.vectors = 10;
    layout.pba_offset = (uint32_t)(table_at + 0x800);
}

/* The guest's page at `offset` of a BAR. */
static void expect_page(unsigned bar, uint64_t offset, bool table)
{
    const struct guest_bar *its = &device.bars[bar];
    uint64_t address = its->guest_base + offset, wanted = its->host_base + offset;
    struct ept_answer got = ept_walk(&guests[0].memory, address);
    owner_t owner = frames_owner(wanted), right = table ? OWNER_HYPERVISOR : OWNER_GUEST(0);
    if (table) {
        expect(!got.mapped,
               "BAR %u, page %#llx: alpha reaches it at %#llx; the MSI-X table is there, and with "
               "it a guest makes its device send any interrupt message (I2)",
               bar, (number)offset, (number)address);
    } else {
        expect(got.mapped,
               "BAR %u, page %#llx: alpha's %#llx leads nowhere; a driver's first access to it "
               "ends the guest",
               bar, (number)offset, (number)address);
        expect(got.physical == wanted,
               "BAR %u, page %#llx: alpha's %#llx leads to %#llx instead of %#llx", bar,
               (number)offset, (number)address, (number)got.physical, (number)wanted);
        expect((got.rights & 3) == 3, "BAR %u, page %#llx: registers are read and written", bar,
               (number)offset);
        expect((got.rights & 4) == 0,
               "BAR %u, page %#llx: alpha can execute what its device answers (I2)", bar,
               (number)offset);
        expect(got.type == 0,
               "BAR %u, page %#llx: memory type %u; registers are uncacheable (PAGE_DEVICE, I2)",
               bar, (number)offset, got.type);
    }
    expect(owner == right,
           "BAR %u, page %#llx: in the frames table %#llx belongs to %s instead of %s", bar,
           (number)offset, (number)wanted, owner_name(owner), owner_name(right));
}

static void registers(void)
{
    begin();
    asking("assignment_claim(), which calls map_bar() for BARs 0 and 3");
    enum status status = assign(0);
    expect(status == STATUS_OK || host_log_count("frames.refused", NULL) == 0,
           "the function is refused, since its registers are not alpha's when they should be: the "
           "whole BAR is claimed for the guest first (claim_registers()), and the MSI-X table's "
           "pages go from the guest to the hypervisor");
    expect(status == STATUS_OK, "the function is refused: %s", host_log_text());
    for (unsigned bar = 0; bar <= 3; bar += 3) {
        uint64_t size = device.bars[bar].size;
        expect(size != 0, "BAR %u was not given", bar);
        for (uint64_t offset = 0; offset < size; offset += PAGE_SIZE)
            expect_page(bar, offset, bar == 3 && offset == table_at);
        uint64_t behind = device.bars[bar].guest_base + size;
        bool next = bar == 0 && behind == device.bars[3].guest_base;
        struct ept_answer got = ept_walk(&guests[0].memory, behind);
        expect(next || !got.mapped,
               "behind BAR %u alpha reaches %#llx at %#llx: the window is longer than the BAR, and "
               "what follows is another function's",
               bar, (number)got.physical, (number)behind);
        owner_t owner = frames_owner(device.bars[bar].host_base + size);
        expect(!OWNER_IS_GUEST(owner),
               "what follows BAR %u in the machine, %#llx, was given to alpha", bar,
               (number)(device.bars[bar].host_base + size));
    }
    assignment_unclaim(&device);
    (void)done(NULL);
}

/* Registers that somebody else has, and no memory for tables. */
static void refusals(void)
{
    begin();
    expect(frames_transfer(BAR0 + PAGE_SIZE, PAGE_SIZE, OWNER_MMIO, OWNER_HYPERVISOR) == STATUS_OK,
           "the check's own machine cannot be made");
    asking("assignment_claim() of a function whose BAR 0 has a page of the hypervisor's");
    expect(assign(0) != STATUS_OK,
           "a BAR with a page that is the hypervisor's was given to alpha; claim_registers() says "
           "whether it is free");
    expect(frames_owner(BAR0) == OWNER_MMIO, "after a refusal a part of the BAR is still alpha's");
    (void)done(NULL);
    for (size_t more = 1; more < 5; more++) {
        begin();
        host_pages_limit(pages_in_use() + more);
        asking("assignment_claim() with pages for %zu tables", more);
        enum status status = assign(0);
        host_pages_limit(SIZE_MAX);
        for (size_t i = 0; status != STATUS_OK && frames_range(i) != NULL; i++)
            expect(!OWNER_IS_GUEST(frames_range(i)->owner),
                   "a BAR could not be mapped, and %#llx is left alpha's: what was claimed goes "
                   "back (unclaim_registers()), as soon as nothing of it is mapped",
                   (number)frames_range(i)->base);
        struct ept_answer got = ept_walk(&guests[0].memory, GUEST_BAR_BASE);
        expect(status != STATUS_OK || got.mapped,
               "a BAR could not be mapped, and map_bar() says ok");
        if (status == STATUS_OK)
            assignment_unclaim(&device);
        (void)done(NULL);
    }
}

/* What is behind the MSI-X table cannot be mapped, since something is there already: what is
 * before it was, and goes. */
static void second_part_refused(void)
{
    begin();
    expect(assign(0) == STATUS_OK, "the function is refused: %s", host_log_text());
    uint64_t base = device.bars[3].guest_base, behind = base + table_at + PAGE_SIZE;
    assignment_unclaim(&device);
    (void)done(NULL);
    begin();
    expect(page_table_map(&guests[0].memory, behind, GIB(3), PAGE_SIZE, PAGE_READ) == STATUS_OK,
           "the check's own machine cannot be made");
    asking("assignment_claim(), and what is behind BAR 3's MSI-X table cannot be mapped");
    enum status status = assign(0);
    expect(status != STATUS_OK, "a part of BAR 3 could not be mapped, and map_bar() says ok");
    for (uint64_t at = base; at < base + table_at; at += PAGE_SIZE) {
        struct ept_answer got = ept_walk(&guests[0].memory, at);
        expect(!got.mapped,
               "BAR 3's second part could not be mapped, and alpha still reaches %#llx of its "
               "first part at %#llx; %s has it (I2). Unmap all of the BAR, then unclaim it",
               (number)got.physical, (number)at, owner_name(frames_owner(got.physical)));
    }
    (void)done(NULL);
}

void lab_check(void)
{
    registers();
    refusals();
    second_part_refused();
}
