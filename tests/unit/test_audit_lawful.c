/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/assign/guest_memory.c
// SOURCES: hypervisor/iommu/vtd_reserved_map.c
// SOURCES: hypervisor/audit/audit_functions.c hypervisor/pci/acs.c hypervisor/iommu/pf_dma.c
// SOURCES: hypervisor/iommu/pf_dma_setup.c hypervisor/audit/audit_life.c hypervisor/pci/life.c
// SOURCES: hypervisor/audit/audit.c
// SOURCES: hypervisor/audit/audit_report.c hypervisor/audit/audit_iommu.c hypervisor/pci/msix.c
// SOURCES: hypervisor/audit/audit_pci.c hypervisor/pci/bars.c hypervisor/audit/audit_pf.c
// SOURCES: hypervisor/setup/iommu_discover.c hypervisor/setup/iommu_scopes.c
// SOURCES: hypervisor/setup/iommu_reserved.c hypervisor/iommu/vtd_reserved.c
// SOURCES: hypervisor/iommu/vtd_domain.c hypervisor/iommu/vtd_fault.c
// SOURCES: hypervisor/setup/iommu_init.c hypervisor/setup/iommu_enable.c
// SOURCES: hypervisor/iommu/vtd_interrupt.c hypervisor/iommu/vtd_queue.c
// SOURCES: hypervisor/iommu/vtd_report.c hypervisor/iommu/vtd_unit.c hypervisor/acpi/dmar.c
// SOURCES: hypervisor/acpi/table.c hypervisor/memory/page_table.c hypervisor/memory/formats.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
// SOURCES: hypervisor/base/format.c hypervisor/base/text.c hypervisor/base/status.c
// SOURCES: tests/unit/model/vtd_model.c tests/unit/model/vtd_model_queue.c
// SOURCES: tests/unit/model/vtd_model_walk.c tests/unit/model/vtd_machine.c -pages.c
// SOURCES: hypervisor/iommu/vtd_domain_destroy.c
// SOURCES: hypervisor/pci/sriov.c
// SOURCES: hypervisor/setup/iommu_quirks.c
/* States that lawful operations pass through, in which the audit may run: none is a violation. */
#include "hypervisor/iommu/pf_dma.h"
#include "hypervisor/iommu/pf_dma_setup.h"
#include "hypervisor/pci/config_space.h"
#include "tests/unit/support/audit_fixture.h"

#define AFTER_RESET 0x2810 /* Device Control: Enable No Snoop is on (PCIe 7.5.3.4) */

static int sound(void **state)
{
    build(&page_format_ept);
    return 0;
}

static void passes(void)
{
    if (!audit_run())
        fail_msg("%s", host_log_text());
}

/* Answers again, with the values of a reset: nothing is restored yet. */
static void reset_goes_on(unsigned n)
{
    functions[n]->life = PCI_RESETTING;
    functions[n]->in_reset = true;
    iommu_interrupts_release(functions[n]);
    commands[n] = 0;
    controls[n] = AFTER_RESET;
    acs[n] = 0;
    moved_to[n] = BIT(40);
}

static void reset_is_over(unsigned n)
{
    functions[n]->in_reset = false;
    commands[n] = PCI_COMMAND_MEMORY;
    controls[n] = 0x2010;
    acs[n] = 0x1f;
    moved_to[n] = 0;
}

static void a_stop(void **state)
{
    guests[0].state = GUEST_STOPPING;
    reset_goes_on(0);
    passes();
    commands[0] = 0xffff; /* it does not answer at all */
    passes();
    reset_is_over(0);
    passes();
    assert_int_equal(iommu_disconnect(functions[0], &guests[0].domain), STATUS_OK);
    functions[0]->life = PCI_CLEAN;
    passes();
    guests[0].state = GUEST_STOPPED;
    passes();
}

/* The former owner is held meanwhile, and counts as running. */
static void a_move(void **state)
{
    guests[0].holds = 1;
    reset_goes_on(0);
    passes();
}

/* The ports above keep their registers, and are judged. */
static void a_reset_excuses_no_port(void **state)
{
    reset_goes_on(0);
    functions[3]->in_reset = true;
    passes();
    acs[3] = 0;
    assert_false(audit_run());
    assert_int_equal(host_log_count("audit.violation", NULL), 1);
}

static void keep_back(unsigned n, enum pci_life life)
{
    assert_true(pci_life_set(functions[n], life));
    assert_int_equal(page_table_unmap(&guests[n].memory, GPA_BAR0, BAR_SIZE), STATUS_OK);
    assert_int_equal(
        page_table_unmap(&guests[n].memory, GPA_BAR3 + PAGE_SIZE, BAR_SIZE - PAGE_SIZE), STATUS_OK);
    owns(BAR0(n), BAR_SIZE, OWNER_MMIO);
    owns(BAR3(n), BAR_SIZE, OWNER_MMIO);
    devices[n].bars[0].size = devices[n].bars[3].size = 0;
}

static void a_reset_that_failed(void **state)
{
    reset_goes_on(0);
    assert_int_equal(iommu_disconnect(functions[0], &guests[0].domain), STATUS_OK);
    keep_back(0, PCI_UNUSABLE);
    passes(); /* after a move its guest runs on */
    guests[0].state = GUEST_STOPPED;
    passes();
}

static void a_unit_that_does_not_let_go(void **state)
{
    reset_goes_on(0);
    reset_is_over(0);
    unit->queue_silent = true;
    assert_int_not_equal(iommu_disconnect(functions[0], &guests[0].domain), STATUS_OK);
    keep_back(0, PCI_UNCONFIRMED);
    passes();
    guests[0].state = GUEST_LOST;
    passes();
}

/* The second of two devices could not be attached: the first goes the way of every end. */
static void a_start_that_failed(void **state)
{
    guests[0].state = GUEST_STOPPING;
    guests[1].state = GUEST_STOPPED;
    iommu_interrupts_release(functions[1]);
    commands[1] = PCI_COMMAND_MEMORY;
    assert_int_equal(iommu_disconnect(functions[1], &guests[1].domain), STATUS_OK);
    functions[1]->life = PCI_CLEAN;
    passes();
    unit->queue_silent = true;
    assert_int_not_equal(iommu_connect(functions[1], &guests[1].domain), STATUS_OK);
    keep_back(1, PCI_UNCONFIRMED);
    guests[1].state = GUEST_STOPPING;
    passes();
    reset_goes_on(0);
    passes();
}

static void a_pf_whose_memory_cannot_be_taken_back(void **state)
{
    functions[2]->owner = OWNER_HYPERVISOR;
    struct pf_dma *dma = pf_dma_open(functions[2], 1);
    assert_non_null(dma);
    passes();
    unit->queue_silent = true;
    pf_dma_close(dma);
    passes();
}

/* Domains stay as they were made when the last unit without snoop control is given up. */
static void only_units_with_snoop_control_are_left(void **state)
{
    unit->ecap |= VTD_ECAP_SC;
    passes();
}

/* Firmware's BARs, or none, in what answers nowhere. */
static void what_does_not_decode_answers_nowhere(void **state)
{
    commands[2] = 0;
    moved_to[2] = BAR0(1);
    passes();
    commands[2] = PCI_COMMAND_MEMORY;
    assert_false(audit_run());
}

static void vfs_decode_by_their_pf(void **state)
{
    functions[4]->cap_sriov = SRIOV;
    functions[2]->is_vf = true;
    functions[2]->pf = functions[4];
    commands[2] = 0;
    passes();
    vf_bars_lost = true;
    sriov_control = 0;
    passes();
    sriov_control = 9;
    assert_false(audit_run());
    assert_int_equal(host_log_count("audit.violation", "moved past the hypervisor"), 2);
}

#define TEST(name) cmocka_unit_test_setup(name, sound)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stop),
        TEST(a_move),
        TEST(a_reset_excuses_no_port),
        TEST(a_reset_that_failed),
        TEST(a_unit_that_does_not_let_go),
        TEST(a_start_that_failed),
        TEST(only_units_with_snoop_control_are_left),
        TEST(what_does_not_decode_answers_nowhere),
        TEST(vfs_decode_by_their_pf),
        TEST(a_pf_whose_memory_cannot_be_taken_back), /* last: its slot stays taken */
    };
    return cmocka_run_group_tests_name("audit_lawful", tests, NULL, NULL);
}
