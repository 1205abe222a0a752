// SOURCES: hypervisor/monitor/audit.c hypervisor/monitor/audit_iommu.c hypervisor/pci/msix.c
// SOURCES: hypervisor/iommu/vtd_discover.c hypervisor/iommu/vtd_domain.c hypervisor/iommu/pf_dma.c
// SOURCES: hypervisor/iommu/vtd_fault.c hypervisor/iommu/vtd_init.c
// SOURCES: hypervisor/iommu/vtd_interrupt.c hypervisor/iommu/vtd_queue.c
// SOURCES: hypervisor/iommu/vtd_report.c hypervisor/iommu/vtd_unit.c
// SOURCES: hypervisor/acpi/dmar.c hypervisor/acpi/table.c
// SOURCES: hypervisor/memory/page_table.c hypervisor/memory/formats.c
// SOURCES: hypervisor/base/format.c hypervisor/base/text.c hypervisor/base/status.c
// SOURCES: hypervisor/iommu/vtd_reserved.c tests/unit/model/vtd_model.c
// SOURCES: tests/unit/model/vtd_model_queue.c
// SOURCES: tests/unit/model/vtd_model_walk.c tests/unit/model/vtd_machine.c
// SOURCES: hypervisor/monitor/audit_pf.c -pages.c
// SOURCES: hypervisor/guest/pf_lost.c hypervisor/monitor/audit_functions.c hypervisor/pci/acs.c
// SOURCES: hypervisor/monitor/audit_life.c hypervisor/pci/life.c hypervisor/monitor/audit_pci.c
// SOURCES: hypervisor/pci/bars.c
/* A PF that its driver has lost: its VFs reach nothing any more, other devices everything theirs.
 */
#include "tests/unit/support/audit_fixture.h"

static struct pf_device pf, other_pf;
static unsigned stops, disables;

/* --- what it stands on and is not asked about here --- */

void device_disable(struct guest_device *device)
{
    assert_int_equal(commands[index_of(device->function->rid)] & PCI_COMMAND_BUS_MASTER, 0);
    disables++;
}

enum status guest_stop(struct guest *guest, const char *reason)
{
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
    guests[0].state = guests[1].state = GUEST_RUNNING;
    stops = disables = 0;
}

static void its_vfs_lose_their_context_entry(void **state)
{
    build_with_vfs();
    devices_block_lost(&pf);
    assert_true(context_of(0) != 0 && disables == 0);
    pf.lost = true;
    for (unsigned i = 0; i < 3; i++)
        devices_block_lost(&pf);
    assert_int_equal(context_of(0) & VTD_CONTEXT_P, 0);
    assert_int_equal(commands[0] & PCI_COMMAND_BUS_MASTER, 0);
    assert_true((context_of(1) & VTD_CONTEXT_P) != 0);
    assert_true((commands[1] & PCI_COMMAND_BUS_MASTER) != 0);
    assert_int_equal(
        host_log_count("device.blocked", "guest=alpha rid=01:10.0 pf=01:10.2 status=ok"), 1);
    assert_int_equal(host_log_count("device.blocked", NULL), 1);
    assert_true(disables == 1 && stops == 0);
    assert_true(audit_run()); /* a blocked device has no entry, and may have none */
}

/* The audit believes no flag: an entry that came back is named. */
static void an_entry_that_comes_back_is_a_violation(void **state)
{
    build_with_vfs();
    uint64_t before = context_of(0);
    pf.lost = true;
    devices_block_lost(&pf);
    struct vtd_context_entry *table = virtual_address(vtd.unit[0].root[1].low & VTD_ROOT_ADDRESS);
    table[functions[0]->rid & 0xff].low = before;
    assert_false(audit_run());
    assert_true(host_log_count("audit.violation", "invariant=I4") >= 1);
}

/* Its domain is still on record, so that the end of its guest takes the usual way. */
static void it_is_detached_as_usual_afterwards(void **state)
{
    build_with_vfs();
    pf.lost = true;
    devices_block_lost(&pf);
    assert_ptr_equal(iommu_domain_of(functions[0]->rid), &guests[0].domain);
    assert_int_equal(iommu_detach(functions[0], &guests[0].domain), STATUS_OK);
    assert_null(iommu_domain_of(functions[0]->rid));
}

static void a_unit_that_does_not_confirm_stops_the_guest(void **state)
{
    build_with_vfs();
    pf.lost = true;
    unit->queue_silent = true;
    devices_block_lost(&pf);
    assert_int_equal(host_log_count("device.blocked", "status=timeout"), 1);
    assert_true(stops == 1 && disables == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_vfs_lose_their_context_entry),
        cmocka_unit_test(an_entry_that_comes_back_is_a_violation),
        cmocka_unit_test(it_is_detached_as_usual_afterwards),
        cmocka_unit_test(a_unit_that_does_not_confirm_stops_the_guest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
