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
// SOURCES: hypervisor/setup/iommu_quirks.c hypervisor/assign/assignment_add.c
// SOURCES: hypervisor/iommu/vtd_domain_destroy.c
/* L8, step 4: what a guest's devices reach, asked of the modelled unit. */
#include "hypervisor/assign/assignment.h"
#include "tests/labs/checks/vtd_bench.h"

typedef unsigned long long number;

static struct guest guest;
static struct assignment device;

enum status assignment_claim(struct guest *its, struct assignment *assignment,
                             struct pci_function *its_function, struct pf_device *pf, unsigned slot,
                             uint64_t next_bar[GUEST_BAR_WINDOWS])
{
    return STATUS_OK;
}

static uint64_t first_size, second_size;

/* The machine's memory: alpha's two pieces, with beta's behind each. */
static const char *whose(uint64_t physical)
{
    for (unsigned i = 0; i < guest.piece_count; i++) {
        if (physical - guest.pieces[i].physical < guest.pieces[i].size)
            return "alpha's own memory";
        if (physical - guest.pieces[i].physical < guest.pieces[i].size + MIB(64))
            return "beta's memory";
    }
    return "the hypervisor's memory";
}

static void fresh(void)
{
    machine_of(MODEL_CAP, MODEL_ECAP);
    first_size = MIB(2 * seeded("first", 4, 40, 16));
    second_size = MIB(2 * seeded("second", 2, 8, 2));
    guest = (struct guest){
        .name = "alpha",
        .owner = OWNER_GUEST(0),
        .memory_size = first_size + second_size,
        .piece_count = 2,
        .pieces = {{0, GIB(2), first_size}, {GUEST_HIGH_BASE, GIB(7), second_size}},
    };
    device = (struct assignment){0};
}

static enum status add(void)
{
    asking("assignment_add(), which calls create_domain()");
    return assignment_add(&guest, &device, function, NULL);
}

static void expect_leads(uint64_t address, uint64_t wanted, bool write)
{
    struct vtd_model_result got = reach(address, write);
    expect(
        got.allowed || !reach(wanted, write).allowed,
        "alpha's device cannot %s alpha's memory at %#llx, and reaches something at %#llx, where "
        "that piece lies in the machine: `at` and `physical` are swapped (I3)",
        write ? "write" : "read", (number)address, (number)wanted);
    expect(got.allowed,
           "alpha's device cannot %s alpha's memory at %#llx (reason %#x): the domain lacks it%s",
           write ? "write" : "read", (number)address, got.reason,
           write ? ", or lacks the right" : "");
    expect(got.physical == wanted,
           "alpha's device reaches %#llx at %#llx, which is %s, instead of %#llx; the core sees "
           "the piece at `at`, and it lies at `physical` (I3)",
           (number)got.physical, (number)address, whose(got.physical), (number)wanted);
}

static void expect_ends(uint64_t address, const char *where)
{
    for (unsigned write = 0; write < 2; write++) {
        struct vtd_model_result got = reach(address, write != 0);
        expect(!got.allowed, "alpha's device %s %#llx, %s: that is %s, at %#llx (I3)",
               write != 0 ? "writes" : "reads", (number)address, where, whose(got.physical),
               (number)got.physical);
    }
}

static void reaches_its_memory(void)
{
    fresh();
    expect(add() == STATUS_OK, "no domain was made: %s", host_log_text());
    expect(guest.domain.table.root != NULL, "alpha's domain has no table: iommu_domain_create()");
    expect(guest.domain.owner == guest.owner,
           "alpha's domain belongs to owner %u instead of alpha, who is %u", guest.domain.owner,
           guest.owner);
    expect(iommu_connect(function, &guest.domain) == STATUS_OK,
           "the function cannot be connected to the domain: %s", host_log_text());
    for (unsigned i = 0; i < guest.piece_count; i++) {
        const struct memory_piece *piece = &guest.pieces[i];
        for (uint64_t at = 0; at < piece->size; at += PAGE_2M - PAGE_SIZE)
            for (unsigned write = 0; write < 2; write++)
                expect_leads(piece->at + at, piece->physical + at, write != 0);
        expect_leads(piece->at + piece->size - 1, piece->physical + piece->size - 1, true);
        expect_ends(piece->at + piece->size, "one byte behind a piece");
        expect_ends(piece->physical, "which is where a piece lies in the machine");
    }
    expect_ends(GUEST_BAR_BASE, "where the guest sees registers of devices");
    expect_ends(MIB(512), "where the guest has no memory");
    expect_lawful("afterwards");
}

static void refusals(void)
{
    for (size_t more = 0; more < 3; more++) {
        fresh();
        host_log_clear();
        host_pages_limit(pages_in_use() + more);
        enum status status = add();
        host_pages_limit(SIZE_MAX);
        expect(status != STATUS_OK,
               "there are pages for %zu tables, which is not enough, and create_domain() says ok: "
               "alpha would start with devices that reach a part of its memory",
               more);
        expect(host_log_count("guest.domain_failed", "guest=alpha") == 1,
               "a domain that cannot be made is not logged (guest.domain_failed guest=alpha)");
    }
}

void lab_check(void)
{
    reaches_its_memory();
    refusals();
}
