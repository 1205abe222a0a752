/* SPDX-License-Identifier: MIT */
// Whom a violation takes out of service, from the falsified table to the entry that goes.
// SOURCES: hypervisor/assign/guest_memory.c
// SOURCES: hypervisor/iommu/vtd_reserved_map.c
// SOURCES: hypervisor/audit/audit.c
// SOURCES: hypervisor/audit/audit_report.c hypervisor/audit/audit_iommu.c hypervisor/pci/msix.c
// SOURCES: hypervisor/audit/audit_functions.c hypervisor/pci/acs.c hypervisor/audit/quarantine.c
// SOURCES: hypervisor/audit/audit_pci.c hypervisor/pci/bars.c hypervisor/audit/audit_pf.c
// SOURCES: hypervisor/audit/audit_life.c hypervisor/pci/life.c hypervisor/setup/iommu_discover.c
// SOURCES: hypervisor/setup/iommu_scopes.c hypervisor/setup/iommu_reserved.c
// SOURCES: hypervisor/iommu/vtd_reserved.c hypervisor/iommu/vtd_domain.c hypervisor/iommu/pf_dma.c
// SOURCES: hypervisor/iommu/pf_dma_setup.c hypervisor/iommu/vtd_fault.c
// SOURCES: hypervisor/setup/iommu_init.c hypervisor/setup/iommu_enable.c
// SOURCES: hypervisor/iommu/vtd_interrupt.c hypervisor/iommu/vtd_queue.c
// SOURCES: hypervisor/iommu/vtd_report.c hypervisor/iommu/vtd_unit.c hypervisor/acpi/dmar.c
// SOURCES: hypervisor/acpi/table.c hypervisor/memory/page_table.c hypervisor/memory/formats.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
// SOURCES: hypervisor/base/format.c hypervisor/base/text.c hypervisor/base/status.c
// SOURCES: tests/unit/model/vtd_model.c tests/unit/model/vtd_model_queue.c
// SOURCES: tests/unit/model/vtd_model_walk.c tests/unit/model/vtd_machine.c
// SOURCES: hypervisor/guest/pf_lost.c hypervisor/assign/assignment.c
// SOURCES: hypervisor/assign/assignment_check.c -pages.c
// SOURCES: hypervisor/iommu/vtd_domain_destroy.c
// SOURCES: hypervisor/pci/sriov.c
// SOURCES: hypervisor/setup/iommu_quirks.c
#include "hypervisor/iommu/pf_dma.h"
#include "hypervisor/iommu/pf_dma_setup.h"
#include "hypervisor/pci/config_space.h"
#include "tests/unit/support/audit_fixture.h"
#include "tests/unit/support/device_stubs.h"

static unsigned quarantined; /* a bit for each guest */

void guest_quarantine(struct guest *guest)
{
    quarantined |= 1u << guest->index;
}

enum status guest_hold(struct guest *guest)
{
    return STATUS_OK;
}

void guest_release(struct guest *guest)
{
}

enum status guest_stop(struct guest *guest, const char *reason)
{
    fail_msg("%s is stopped: %s", guest->name, reason);
    return STATUS_OK;
}

void guests_changed(void)
{
}

static struct vtd_context_entry *context_of(unsigned n)
{
    struct vtd_context_entry *table = virtual_address(vtd.unit[0].root[1].low & VTD_ROOT_ADDRESS);
    return &table[RID(0, 1, 0x10, n) & 0xff];
}

static int sound(void **state)
{
    build(&page_format_ept);
    quarantined = 0;
    return 0;
}

static void nobody_without_a_violation(void **state)
{
    assert_true(audit_enforce());
    assert_int_equal(quarantined, 0);
    assert_int_equal(host_log_count("device.quarantined", NULL), 0);
}

static void the_guest_whose_tables_are_wrong(void **state)
{
    map(&guests[1].domain.table, MEMORY, RAM(0), PAGE_SIZE, PAGE_READ);
    assert_false(audit_enforce());
    assert_int_equal(quarantined, 2);
    assert_true(audit_failed());
}

static void the_owner_of_the_function(void **state)
{
    guests[0].state = GUEST_RUNNING;
    context_of(0)->high = context_of(1)->high;
    assert_false(audit_enforce());
    assert_int_equal(quarantined, 1);
    assert_int_equal(context_of(0)->low & 1, 1); /* its stop takes the entry away */
}

static void an_entry_that_outlived_its_guest(void **state)
{
    guests[0].state = GUEST_STOPPED;
    context_of(0)->high = context_of(1)->high;
    assert_false(audit_enforce());
    assert_int_equal(quarantined, 1);
    assert_int_equal(context_of(0)->low & 1, 0);
}

/* The unit has cached the entry; afterwards neither memory nor the cache lets the requester in. */
static void a_requester_that_nobody_answers_for(void **state)
{
    *context_of(2) = *context_of(0);
    commands[2] |= PCI_COMMAND_BUS_MASTER;
    const uint16_t source = (uint16_t)functions[2]->rid;
    assert_true(vtd_model_dma(unit, source, 0x1000, true).allowed);
    assert_false(audit_enforce());
    assert_int_equal(quarantined, 0);
    assert_int_equal(host_log_count("device.quarantined rid=01:10.2", "status=ok"), 1);
    assert_false(vtd_model_dma(unit, source, 0x1000, true).allowed);
    assert_int_equal(commands[2] & PCI_COMMAND_BUS_MASTER, 0);
    assert_true(audit_enforce());
}

static void everybody_where_the_unit_fails(void **state)
{
    unit->gsts &= ~VTD_GLOBAL_TE;
    assert_false(audit_enforce());
    assert_int_equal(quarantined, 3);
}

static void more_strangers_than_can_be_listed(void **state)
{
    for (unsigned n = 0; n < AUDIT_MAX_STRANGERS + 1; n++)
        context_of(0)[16 + n] = *context_of(0);
    assert_false(audit_enforce());
    assert_int_equal(quarantined, 3);
    assert_int_equal(host_log_count("device.quarantined", NULL), AUDIT_MAX_STRANGERS);
}

/* Each by itself, and none of the guests: however many they are. */
static void many_functions_of_nobody(void **state)
{
    for (unsigned n = 5; n < FUNCTIONS; n++) {
        function_new(n, OWNER_NOBODY);
        moved_to[n] = MIB(16);
    }
    assert_false(audit_enforce());
    assert_int_equal(quarantined, 0);
    assert_int_equal(host_log_count("device.quarantined", NULL), FUNCTIONS - 5);
    for (unsigned n = 5; n < FUNCTIONS; n++)
        assert_int_equal(functions[n]->life, PCI_QUARANTINED);
    assert_false(audit_enforce()); /* the BARs are where they were moved to */
    assert_int_equal(host_log_count("device.quarantined", NULL), FUNCTIONS - 5);
}

/* What quarantine leaves behind is not condemned again. */
static void firmwares_function_is_blocked_once(void **state)
{
    map(&iommu_domain_of(functions[4]->rid)->table, RAM(0), RAM(0), PAGE_SIZE, PAGE_READ);
    assert_false(audit_enforce());
    assert_int_equal(functions[4]->life, PCI_QUARANTINED);
    assert_false(vtd_model_dma(unit, (uint16_t)functions[4]->rid, RESERVED, true).allowed);
    assert_true(audit_enforce());
    assert_int_equal(host_log_count("device.quarantined rid=01:10.4", NULL), 1);
    assert_int_equal(quarantined, 0);
}

static void an_interrupt_entry_of_nobody_goes(void **state)
{
    vtd.unit[0].interrupts[message[0].index].high ^= BIT(1);
    assert_false(audit_enforce());
    assert_int_equal(functions[2]->life, PCI_QUARANTINED);
    assert_true(audit_enforce());
}

/* Its VFs are blocked at once, and their guests run on without them. */
static void a_pf_is_lost(void **state)
{
    static const struct pf_driver driver;
    static struct pf_device pf;
    pf = (struct pf_device){.function = functions[2], .driver = &driver};
    nic = &pf;
    functions[2]->owner = OWNER_HYPERVISOR;
    functions[2]->cap_sriov = SRIOV;
    functions[1]->is_vf = true;
    functions[1]->pf = functions[2];
    devices[1].pf = &pf;
    struct pf_dma *dma = pf_dma_open(functions[2], 1);
    assert_non_null(dma);
    assert_true(audit_enforce());
    map(&dma->domain.table, MIB(8), RAM(0), PAGE_SIZE, PAGE_READ);
    assert_false(audit_enforce());
    assert_int_equal(quarantined, 0);
    assert_int_equal(functions[1]->life, PCI_UNUSABLE);
    assert_int_equal(functions[2]->life, PCI_QUARANTINED);
    assert_false(vtd_model_dma(unit, (uint16_t)functions[2]->rid, PF_DMA_BASE, true).allowed);
    assert_false(vtd_model_dma(unit, (uint16_t)functions[1]->rid, 0x1000, true).allowed);
    assert_true(audit_enforce());
    assert_int_equal(quarantined, 0);
    assert_int_equal(host_log_count("device.quarantined rid=01:10.2", NULL), 1);
    pf_dma_close(dma);
}

/* --- iommu_block() --- */

static void what_was_not_confirmed_stays_unconfirmed(void **state)
{
    unit->queue_silent = true;
    assert_false(iommu_block(functions[0]->rid));
    assert_int_equal(context_of(0)->low, 0);
    assert_false(iommu_block(functions[0]->rid));
    assert_false(iommu_block(functions[2]->rid)); /* on no record */
}

/* The entry was cleared by somebody who told the unit nothing. */
static void a_clear_entry_may_still_be_cached(void **state)
{
    const uint16_t source = (uint16_t)functions[0]->rid;
    assert_true(vtd_model_dma(unit, source, 0x1000, true).allowed);
    context_of(0)->low = 0;
    assert_true(vtd_model_dma(unit, source, 0x1000, true).allowed);
    assert_true(iommu_block(functions[0]->rid));
    assert_false(vtd_model_dma(unit, source, 0x1000, true).allowed);
}

static void a_flood_stays_quiet(void **state)
{
    iommu_fault_reporting(functions[0], false);
    assert_true(iommu_block(functions[0]->rid));
    assert_false(vtd_model_dma(unit, (uint16_t)functions[0]->rid, 0x1000, true).allowed);
    assert_int_equal(unit->frcd[0][1], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nobody_without_a_violation, sound),
        cmocka_unit_test_setup(the_guest_whose_tables_are_wrong, sound),
        cmocka_unit_test_setup(the_owner_of_the_function, sound),
        cmocka_unit_test_setup(an_entry_that_outlived_its_guest, sound),
        cmocka_unit_test_setup(a_requester_that_nobody_answers_for, sound),
        cmocka_unit_test_setup(everybody_where_the_unit_fails, sound),
        cmocka_unit_test_setup(more_strangers_than_can_be_listed, sound),
        cmocka_unit_test_setup(many_functions_of_nobody, sound),
        cmocka_unit_test_setup(firmwares_function_is_blocked_once, sound),
        cmocka_unit_test_setup(an_interrupt_entry_of_nobody_goes, sound),
        cmocka_unit_test_setup(a_pf_is_lost, sound),
        cmocka_unit_test_setup(what_was_not_confirmed_stays_unconfirmed, sound),
        cmocka_unit_test_setup(a_clear_entry_may_still_be_cached, sound),
        cmocka_unit_test_setup(a_flood_stays_quiet, sound),
    };
    return cmocka_run_group_tests_name("quarantine", tests, NULL, NULL);
}
