/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/assign/guest_memory.c
// SOURCES: hypervisor/iommu/vtd_reserved_map.c
// SOURCES: hypervisor/audit/audit.c
// SOURCES: hypervisor/audit/audit_report.c hypervisor/audit/audit_iommu.c hypervisor/pci/msix.c
// SOURCES: hypervisor/setup/iommu_discover.c hypervisor/setup/iommu_scopes.c
// SOURCES: hypervisor/setup/iommu_reserved.c hypervisor/iommu/vtd_reserved.c
// SOURCES: hypervisor/iommu/vtd_domain.c hypervisor/iommu/pf_dma.c hypervisor/iommu/pf_dma_setup.c
// SOURCES: hypervisor/iommu/vtd_fault.c hypervisor/setup/iommu_init.c
// SOURCES: hypervisor/setup/iommu_enable.c hypervisor/iommu/vtd_interrupt.c
// SOURCES: hypervisor/iommu/vtd_queue.c hypervisor/iommu/vtd_report.c hypervisor/iommu/vtd_unit.c
// SOURCES: hypervisor/acpi/dmar.c hypervisor/acpi/table.c hypervisor/memory/page_table.c
// SOURCES: hypervisor/memory/formats.c hypervisor/base/format.c hypervisor/base/text.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
// SOURCES: hypervisor/base/status.c tests/unit/model/vtd_model.c
// SOURCES: tests/unit/model/vtd_model_queue.c tests/unit/model/vtd_model_walk.c
// SOURCES: tests/unit/model/vtd_machine.c hypervisor/audit/audit_pf.c -pages.c
// SOURCES: hypervisor/guest/pf_lost.c hypervisor/audit/audit_functions.c hypervisor/pci/acs.c
// SOURCES: hypervisor/audit/audit_life.c hypervisor/pci/life.c hypervisor/audit/audit_pci.c
// SOURCES: hypervisor/pci/bars.c hypervisor/assign/assignment.c
// SOURCES: hypervisor/assign/assignment_check.c
// SOURCES: hypervisor/iommu/vtd_domain_destroy.c
// SOURCES: hypervisor/pci/sriov.c
// SOURCES: hypervisor/setup/iommu_quirks.c
/* A PF that its driver has lost: its VFs reach nothing any more, other devices everything theirs.
 */
#include "tests/unit/support/audit_fixture.h"
#include "tests/unit/support/device_stubs.h"

static struct pf_device pf, other_pf;
static unsigned stops, holds;

/* --- what it stands on and is not asked about here --- */

static enum status hold_status;

enum status guest_hold(struct guest *guest)
{
    holds += hold_status == STATUS_OK;
    return hold_status;
}

void guest_release(struct guest *guest)
{
    holds--;
}

enum status guest_stop(struct guest *guest, const char *reason)
{
    assert_int_equal(guest->state, GUEST_RUNNING);
    guest->state = GUEST_STOPPING;
    stops++;
    return STATUS_OK;
}

void guests_changed(void)
{
}

static uint64_t context_of(unsigned n)
{
    const struct vtd_context_entry *table =
        virtual_address(vtd.unit[0].root[1].low & VTD_ROOT_ADDRESS);
    return table[functions[n]->rid & 0xff].low;
}

static void build_with_vfs(void)
{
    build(&page_format_ept);
    pf = (struct pf_device){.function = functions[2]};
    other_pf = (struct pf_device){.function = functions[3]};
    devices[0].pf = &pf;
    devices[1].pf = &other_pf;
    devices[0].bars[0].host_base = BAR0(0);
    functions[0]->pf = pf.function;
    functions[1]->pf = other_pf.function;
    guests[0].state = guests[1].state = GUEST_RUNNING;
    hold_status = STATUS_OK;
    stops = holds = 0;
}

static void its_vfs_lose_their_context_entry(void **state)
{
    build_with_vfs();
    pf_block_lost(&pf);
    assert_true(context_of(0) != 0 && functions[0]->life == PCI_USED);
    pf_lose(&pf);
    for (unsigned i = 0; i < 3; i++)
        pf_block_lost(&pf);
    assert_int_equal(context_of(0) & VTD_CONTEXT_P, 0);
    assert_int_equal(commands[0] & PCI_COMMAND_BUS_MASTER, 0);
    assert_true((context_of(1) & VTD_CONTEXT_P) != 0);
    assert_true((commands[1] & PCI_COMMAND_BUS_MASTER) != 0);
    assert_int_equal(
        host_log_count("device.blocked", "guest=alpha rid=01:10.0 pf=01:10.2 status=ok"), 1);
    assert_int_equal(host_log_count("device.blocked", NULL), 1);
    assert_true(holds == 0 && stops == 0);
    assert_true(audit_run()); /* a blocked device has no entry, and may have none */
}

/* One answer for all who ask: the function is unusable, and so is a VF that nobody has. */
static void what_is_lost_is_unusable(void **state)
{
    build_with_vfs();
    pf_lose(&pf);
    pf_block_lost(&pf);
    const struct pci_function spare = {.is_vf = true, .pf = pf.function};
    assert_true(pci_unusable(functions[0]) && pci_unusable(&spare));
    assert_false(pci_unusable(functions[1]));
    assert_false(pci_connected(functions[0]));
    assert_int_equal(devices[0].function->owner, OWNER_HYPERVISOR);
    assert_int_equal(assignment_check(&guests[1], functions[0], true), STATUS_DENIED);
    struct page_walk walk;
    page_table_walk(&guests[0].memory, GPA_BAR0, &walk);
    assert_false(walk.present);
    /* Its guest's end finds nothing to reset or detach. */
    assignment_quiesce(&devices[0]);
    assert_true(assignment_quiet(&devices[0]));
    assert_int_equal(assignment_disconnect(&devices[0]), STATUS_OK);
    assert_int_equal(functions[0]->life, PCI_UNUSABLE);
    assert_int_equal(assignment_connect(&devices[0]), STATUS_DENIED);
}

/* In the middle of its reset, too, which would find it clean. */
static void a_reset_does_not_make_it_clean(void **state)
{
    build_with_vfs();
    guests[0].state = GUEST_STOPPING;
    assignment_quiesce(&devices[0]);
    assert_int_equal(functions[0]->life, PCI_RESETTING);
    pf_lose(&pf);
    pf_block_lost(&pf);
    assert_true(assignment_quiet(&devices[0]));
    assert_int_equal(assignment_disconnect(&devices[0]), STATUS_OK);
    assert_int_equal(functions[0]->life, PCI_UNUSABLE);
    assert_int_equal(stops, 0); /* it is stopping already */
    assert_true(audit_run());
}

/* Nor is its guest to blame for a device that keeps mastering the bus. */
static void a_device_that_ignores_its_command_register(void **state)
{
    build_with_vfs();
    pf_lose(&pf);
    pf_block_lost(&pf);
    commands[0] |= PCI_COMMAND_BUS_MASTER;
    assert_true(audit_run());
    functions[2]->life = PCI_UNKNOWN; /* of another PF it would be one */
    functions[0]->life = PCI_UNUSABLE;
    assert_false(audit_run());
}

/* A core may still be in guest mode: no registers go before it is out. */
static void a_guest_that_cannot_be_held_is_stopped(void **state)
{
    build_with_vfs();
    hold_status = STATUS_TIMEOUT;
    pf_lose(&pf);
    pf_block_lost(&pf);
    assert_true(stops == 1 && holds == 0);
    assert_int_equal(context_of(0) & VTD_CONTEXT_P, 0);
}

/* The audit believes no flag: an entry that came back is named. */
static void an_entry_that_comes_back_is_a_violation(void **state)
{
    build_with_vfs();
    uint64_t before = context_of(0);
    pf_lose(&pf);
    pf_block_lost(&pf);
    struct vtd_context_entry *table = virtual_address(vtd.unit[0].root[1].low & VTD_ROOT_ADDRESS);
    table[functions[0]->rid & 0xff].low = before;
    assert_false(audit_run());
    assert_true(host_log_count("audit.violation", "invariant=I4") >= 1);
}

static void a_unit_that_does_not_confirm_stops_the_guest(void **state)
{
    build_with_vfs();
    pf_lose(&pf);
    unit->queue_silent = true;
    pf_block_lost(&pf);
    assert_int_equal(host_log_count("device.blocked", "status=timeout"), 1);
    assert_true(stops == 1 && holds == 0);
    assert_int_equal(functions[0]->life,
                     PCI_UNCONFIRMED); /* its guest's memory is not used again */
    pf_block_lost(&pf);
    assert_int_equal(stops, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_vfs_lose_their_context_entry),
        cmocka_unit_test(an_entry_that_comes_back_is_a_violation),
        cmocka_unit_test(what_is_lost_is_unusable),
        cmocka_unit_test(a_reset_does_not_make_it_clean),
        cmocka_unit_test(a_device_that_ignores_its_command_register),
        cmocka_unit_test(a_guest_that_cannot_be_held_is_stopped),
        cmocka_unit_test(a_unit_that_does_not_confirm_stops_the_guest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
