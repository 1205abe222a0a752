// Whom a violation takes out of service, from the falsified table to the entry that goes.
// SOURCES: hypervisor/monitor/audit.c hypervisor/monitor/audit_iommu.c hypervisor/pci/msix.c
// SOURCES: hypervisor/monitor/audit_functions.c hypervisor/pci/acs.c
// SOURCES: hypervisor/monitor/quarantine.c hypervisor/monitor/audit_pci.c hypervisor/pci/bars.c
// SOURCES: hypervisor/monitor/audit_pf.c hypervisor/monitor/audit_life.c hypervisor/pci/life.c
// SOURCES: hypervisor/iommu/vtd_discover.c hypervisor/iommu/vtd_domain.c hypervisor/iommu/pf_dma.c
// SOURCES: hypervisor/iommu/vtd_fault.c hypervisor/iommu/vtd_init.c
// SOURCES: hypervisor/iommu/vtd_interrupt.c hypervisor/iommu/vtd_queue.c
// SOURCES: hypervisor/iommu/vtd_report.c hypervisor/iommu/vtd_reserved.c
// SOURCES: hypervisor/iommu/vtd_unit.c hypervisor/acpi/dmar.c hypervisor/acpi/table.c
// SOURCES: hypervisor/memory/page_table.c hypervisor/memory/formats.c
// SOURCES: hypervisor/base/format.c hypervisor/base/text.c hypervisor/base/status.c
// SOURCES: tests/unit/model/vtd_model.c tests/unit/model/vtd_model_queue.c
// SOURCES: tests/unit/model/vtd_model_walk.c tests/unit/model/vtd_machine.c
// SOURCES: -pages.c
#include "tests/unit/support/audit_fixture.h"

static unsigned quarantined; /* a bit for each guest */

void guest_quarantine(struct guest *guest)
{
    quarantined |= 1u << guest->index;
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
    context_of(0)->high = context_of(1)->high;
    assert_false(audit_enforce());
    assert_int_equal(quarantined, 1);
    assert_int_equal(context_of(0)->low & 1, 1); /* its stop takes the entry away */
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
    for (unsigned n = 0; n < AUDIT_MAX_FUNCTIONS + 1; n++)
        context_of(0)[16 + n] = *context_of(0);
    assert_false(audit_enforce());
    assert_int_equal(quarantined, 3);
    assert_int_equal(host_log_count("device.quarantined", NULL), AUDIT_MAX_FUNCTIONS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nobody_without_a_violation, sound),
        cmocka_unit_test_setup(the_guest_whose_tables_are_wrong, sound),
        cmocka_unit_test_setup(the_owner_of_the_function, sound),
        cmocka_unit_test_setup(a_requester_that_nobody_answers_for, sound),
        cmocka_unit_test_setup(everybody_where_the_unit_fails, sound),
        cmocka_unit_test_setup(more_strangers_than_can_be_listed, sound),
    };
    return cmocka_run_group_tests_name("quarantine", tests, NULL, NULL);
}
