/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/assign/guest_memory.c
// SOURCES: hypervisor/iommu/vtd_reserved_map.c
// SOURCES: hypervisor/audit/audit_functions.c hypervisor/pci/acs.c hypervisor/audit/audit_life.c
// SOURCES: hypervisor/pci/life.c
// SOURCES: hypervisor/audit/audit.c
// SOURCES: hypervisor/audit/audit_report.c hypervisor/audit/audit_iommu.c
// SOURCES: hypervisor/pci/msix.c hypervisor/audit/audit_pci.c hypervisor/pci/bars.c
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
// SOURCES: hypervisor/iommu/vtd_domain_destroy.c
// SOURCES: hypervisor/pci/sriov.c
// SOURCES: hypervisor/setup/iommu_quirks.c
/* A PF that does DMA: the audit knows its domain, and falsified it is named. */
#include "hypervisor/iommu/pf_dma.h"
#include "hypervisor/iommu/pf_dma_setup.h"
#include "hypervisor/pci/config_space.h"
#include "tests/unit/support/audit_fixture.h"

static struct pf_dma *dma;

static struct vtd_context_entry *context(void)
{
    struct vtd_context_entry *table = virtual_address(vtd.unit[0].root[1].low & VTD_ROOT_ADDRESS);
    return &table[RID(0, 1, 0x10, 2) & 0xff];
}

static void build_with_pf(void)
{
    if (dma != NULL)
        pf_dma_close(dma);
    build(&page_format_ept);
    functions[2]->owner = OWNER_HYPERVISOR;
    dma = pf_dma_open(functions[2], 3);
    assert_non_null(dma);
}

static void a_pf_that_masters_the_bus_passes(void **state)
{
    build_with_pf();
    assert_true(commands[2] & PCI_COMMAND_BUS_MASTER);
    assert_true(audit_run());
    pf_dma_close(dma);
    dma = NULL;
    assert_false(commands[2] & PCI_COMMAND_BUS_MASTER);
    assert_int_equal(context()->low & 1, 0);
    assert_true(audit_run());
}

static void map_more(uint64_t address, uint64_t physical)
{
    map(&dma->domain.table, address, physical, PAGE_SIZE, PAGE_READ | PAGE_WRITE);
}

// clang-format off
static void a_page_more(void) { map_more(PF_DMA_BASE + 3 * PAGE_SIZE, physical_address(dma->memory) + 3 * PAGE_SIZE); }
static void a_page_before(void) { map_more(PF_DMA_BASE - PAGE_SIZE, physical_address(dma->memory) - PAGE_SIZE); }
static void a_page_elsewhere(void) { map_more(0, physical_address(dma->memory)); }
static void a_guests_page(void) { map_more(GIB(1), RAM(0)); }
static void its_pages_given_away(void) { owns(physical_address(dma->memory), PAGE_SIZE, OWNER_GUEST(0)); }
static void not_translated(void) { context()->low |= 2 << 2; }
static void a_guests_domain(void) { context()->high = (context()->high & 0xff) | VTD_CONTEXT_DID(guests[0].domain.id); }
static void a_guests_table(void) { context()->low = physical_address(guests[0].domain.table.root) | 1; }
static void a_guest_owns_it(void) { functions[2]->owner = OWNER_GUEST(1); }
static void no_entry(void) { context()->low = 0; }
// clang-format on

static void each_falsified_entry_is_named(void **state)
{
    static void (*const falsify[])(void) = {
        a_page_more,    a_page_before,   a_page_elsewhere, a_guests_page,   its_pages_given_away,
        not_translated, a_guests_domain, a_guests_table,   a_guest_owns_it, no_entry,
    };
    for (size_t i = 0; i < ARRAY_SIZE(falsify); i++) {
        build_with_pf();
        falsify[i]();
        assert_false(audit_run());
        assert_true(host_log_count("audit.violation", "invariant=I4 subject=01:10.2") >= 1);
    }
}

/* Firmware keeps memory for the PF: at its own address, all of it firmware's, and not a page more.
 */
static void what_firmware_keeps_for_a_pf_passes(void **state)
{
    static const struct {
        uint64_t address, physical;
    } wrong[] = {
        {RESERVED + MIB(4), RESERVED + MIB(4)}, /* firmware's, for others */
        {RESERVED - PAGE_SIZE, RESERVED - PAGE_SIZE},
        {GIB(1), RESERVED},
    };
    for (size_t i = 0; i <= ARRAY_SIZE(wrong); i++) {
        build(&page_format_ept);
        memset(pf_dma_slots, 0, sizeof pf_dma_slots);
        functions[4]->owner = OWNER_HYPERVISOR;
        assert_true(iommu_firmware_connected(functions[4]->rid));
        dma = pf_dma_open(functions[4], 1);
        assert_non_null(dma);
        assert_false(iommu_firmware_connected(functions[4]->rid));
        assert_true(audit_run());
        if (i < ARRAY_SIZE(wrong)) {
            map_more(wrong[i].address, wrong[i].physical);
            assert_false(audit_run());
            assert_true(host_log_count("audit.violation", "invariant=I4 subject=01:10.4") >= 1);
        } else {
            owns(RESERVED, PAGE_SIZE, OWNER_GUEST(0));
            assert_false(audit_run());
        }
        pf_dma_close(dma);
        dma = NULL;
    }
}

/* The bit alone is not enough: it has to have the memory for it. */
static void a_pf_without_a_domain_may_not_master_the_bus(void **state)
{
    build_with_pf();
    pf_dma_close(dma);
    dma = NULL;
    commands[2] |= PCI_COMMAND_BUS_MASTER;
    assert_false(audit_run());
    assert_int_equal(host_log_count("audit.violation", "invariant=I6 subject=01:10.2"), 1);
}

static void find(struct pf_device *device, pf_breach *report, void *context)
{
    assert_ptr_equal(device, nic);
    report(context, 3, 6, "what a driver found");
    report(context, 4, 6, "what a driver found");
}

static void find_nothing(struct pf_device *device, pf_breach *report, void *context)
{
}

/* Reported, and nobody pays for it: who is found need not be who did it. */
static void what_a_pf_driver_finds_is_a_violation(void **state)
{
    build_with_pf();
    struct pf_driver driver = {0};
    struct pf_device device = {.function = functions[2], .driver = &driver};
    nic = &device;
    assert_true(audit_run());
    driver.audit = find_nothing;
    assert_true(audit_run());
    driver.audit = find;
    assert_false(audit_run());
    assert_int_equal(
        host_log_count("audit.violation", "invariant=I7 subject=01:10.2 where=0x3 value=0x6"), 1);
    const struct audit_findings *found = audit_findings();
    assert_int_equal(found->violations, 2);
    for (unsigned i = 0; i < AUDIT_INVARIANTS; i++)
        assert_int_equal(found->checks[i].violated, i == 6 ? 2 : 0);
    assert_int_equal(found->checks[6].looked, 1);
    assert_true(found->guests == 0 && found->functions[0] == 0 && found->stranger_count == 0 &&
                !found->machine);
}

/* SR-IOV as it was set at boot, whoever drives the PF: another number is a requester more. */
static void what_makes_vfs_is_changed(void **state)
{
    static const struct pf_driver asks_nothing;
    build(&page_format_ept);
    struct pf_device device = {.function = functions[4], .driver = &asks_nothing};
    functions[4]->cap_sriov = SRIOV;
    functions[4]->num_vfs = 1;
    functions[4]->sriov_control = 9;
    functions[2]->is_vf = true;
    functions[2]->pf = functions[4];
    nic = &device;
    assert_true(audit_run());
    for (unsigned bit = 0; bit < 16; bit++) {
        sriov_control = (uint16_t)(9 ^ 1u << bit);
        assert_false(audit_run());
        sriov_control = 9;
        sriov_vfs = (uint16_t)(1 ^ 1u << bit);
        assert_false(audit_run());
        sriov_vfs = 1;
    }
    assert_int_equal(host_log_count("audit.violation", "are not what was set at boot"), 32);
    vf_bars_lost = true;
    assert_false(audit_run());
    assert_int_equal(host_log_count("audit.violation", "are not what was set at boot"), 33);
    functions[4]->in_reset = true; /* which clears them, and brings them back */
    assert_true(audit_run());
    functions[4]->in_reset = false;
    vf_bars_lost = false;
    assert_true(audit_run());
    nic = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_makes_vfs_is_changed), /* first: the others leave a domain open */
        cmocka_unit_test(a_pf_that_masters_the_bus_passes),
        cmocka_unit_test(what_firmware_keeps_for_a_pf_passes),
        cmocka_unit_test(a_pf_without_a_domain_may_not_master_the_bus),
        cmocka_unit_test(each_falsified_entry_is_named),
        cmocka_unit_test(what_a_pf_driver_finds_is_a_violation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
