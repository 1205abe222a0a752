/* SPDX-License-Identifier: MIT */
// The functions that firmware uses have their context entries before a unit translates.
// SOURCES: hypervisor/iommu/vtd_reserved.c hypervisor/setup/iommu_discover.c
// SOURCES: hypervisor/setup/iommu_scopes.c hypervisor/setup/iommu_reserved.c
// SOURCES: hypervisor/iommu/vtd_domain.c hypervisor/iommu/vtd_fault.c
// SOURCES: hypervisor/setup/iommu_init.c hypervisor/setup/iommu_enable.c
// SOURCES: hypervisor/iommu/vtd_interrupt.c hypervisor/iommu/vtd_queue.c
// SOURCES: hypervisor/iommu/vtd_report.c hypervisor/iommu/vtd_unit.c hypervisor/acpi/dmar.c
// SOURCES: hypervisor/acpi/table.c hypervisor/memory/frames.c hypervisor/memory/page_table.c
// SOURCES: hypervisor/memory/formats.c hypervisor/base/format.c hypervisor/base/text.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
// SOURCES: hypervisor/base/status.c tests/unit/model/vtd_model.c tests/unit/model/vtd_model_queue.c
// SOURCES: tests/unit/model/vtd_model_walk.c tests/unit/model/vtd_machine.c
// SOURCES: hypervisor/setup/frames.c hypervisor/iommu/vtd_domain_destroy.c
// SOURCES: hypervisor/setup/iommu_quirks.c
// SOURCES: hypervisor/iommu/vtd_reserved_map.c
#include "hypervisor/setup/memory.h"
#include "tests/unit/model/vtd_machine.h"
#include "tests/unit/support/host.h"

#define UNIT UINT64_C(0xfed90000)

static struct vtd_model *unit;
static struct pci_function *functions[4];
static unsigned function_count;
static rid_t mastering; /* the last function that was given bus mastering */

struct pci_function *pci_function_at(size_t index)
{
    return index < function_count ? functions[index] : NULL;
}

static bool reaches(const struct pci_function *function, uint64_t address)
{
    return vtd_model_dma(unit, (uint16_t)function->rid, address, true).allowed;
}

/* Never before what it may reach is fixed. */
void pci_bus_master(const struct pci_function *function, bool on)
{
    if (!on)
        return;
    assert_true(reaches(function, MIB(100)) && !reaches(function, MIB(101)));
    assert_true((unit->gsts & VTD_GLOBAL_TE) != 0);
    mastering = function->rid;
}

static struct pci_function *add(rid_t rid)
{
    return functions[function_count++] = machine_function(rid, NULL);
}

static int fresh(void **state)
{
    static struct boot_info boot;
    boot = (struct boot_info){.range_count = 2,
                              .ranges = {{MIB(1), GIB(1), BOOT_MEMORY_USABLE, 0},
                                         {UNIT, PAGE_SIZE, BOOT_MEMORY_MMIO, 0}}};
    machine_reset();
    assert_int_equal(frames_init(&boot), STATUS_OK);
    unit = vtd_model_add(UNIT, MODEL_CAP, MODEL_ECAP);
    machine_drhd(0, true, UNIT);
    function_count = 0;
    mastering = UINT32_MAX;
    return 0;
}

/* As the hypervisor boots: reserve, find, honour; and, unless it stays off, translate. */
static enum status start(void)
{
    iommu_regions_reserve(machine_table());
    assert_int_equal(machine_init(), STATUS_OK);
    iommu_regions_honour();
    assert_int_equal(mastering, UINT32_MAX);
    enum status status = iommu_translate(machine_table());
    iommu_regions_resume();
    return status;
}

static void assert_sound(void)
{
    if (vtd_model_violations() != 0)
        fail_msg("%u violations, the last: %s", vtd_model_violations(), vtd_model_violation_text());
}

/* A display is scanned out, a management controller answers, while tables are set up: the unit must
 * know them from the moment in which it translates; also when it takes over from firmware's. */
static void translation_comes_after_their_context_entries(void **state)
{
    for (unsigned takeover = 0; takeover < 2; takeover++) {
        fresh(NULL);
        machine_rmrr(0, MIB(100), MIB(101) - 1);
        machine_scope(SCOPE_ENDPOINT, 0, "2.0");
        machine_scope(SCOPE_ENDPOINT, 0, "14.0");
        struct pci_function *display = add(RID(0, 0, 2, 0));
        struct pci_function *usb = add(RID(0, 0, 0x14, 0));
        usb->firmware_master = true;
        unit->firmware[2 * 8 / 64] |= BIT(2 * 8 % 64);
        unit->firmware[0x14 * 8 / 64] |= BIT(0x14 * 8 % 64);
        if (takeover != 0) {
            unit->gsts |= VTD_GLOBAL_TE | VTD_GLOBAL_SRTP;
            unit->needs_context = unit->needs_iotlb = false;
        }
        assert_int_equal(start(), STATUS_OK);
        assert_true(reaches(display, MIB(100)) && reaches(usb, MIB(100)));
        assert_int_equal(mastering, usb->rid);
        assert_int_equal(unit->counts.translation_off, 0);
        assert_sound();
    }
}

/* Nobody gets his bus mastering back behind a unit that does not translate. */
static void a_unit_that_stays_off_gives_nothing_back(void **state)
{
    machine_rmrr(0, MIB(100), MIB(101) - 1);
    machine_scope(SCOPE_ENDPOINT, 0, "2.0");
    struct pci_function *card = add(RID(0, 0, 2, 0));
    card->firmware_master = true;
    unit->stuck = VTD_GLOBAL_TE;
    assert_int_equal(start(), STATUS_DEVICE);
    assert_false(iommu_enabled() || iommu_firmware_connected(card->rid));
    assert_int_equal(mastering, UINT32_MAX);
    assert_int_equal(host_log_count("iommu.refused", "rid=00:02.0 status=device-error"), 1);
}

static void without_a_unit_nothing_is_given_back(void **state)
{
    machine_reset();
    machine_drhd(0, true, UNIT); /* nothing answers there */
    machine_rmrr(0, MIB(100), MIB(101) - 1);
    machine_scope(SCOPE_ENDPOINT, 0, "2.0");
    struct pci_function *card = add(RID(0, 0, 2, 0));
    card->firmware_master = true;
    iommu_regions_reserve(machine_table());
    assert_int_not_equal(machine_init(), STATUS_OK);
    iommu_regions_honour();
    iommu_regions_resume();
    assert_true(frames_owned_by(MIB(100), MIB(1), OWNER_FIRMWARE));
    assert_false(iommu_firmware_connected(card->rid));
    assert_int_equal(mastering, UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(translation_comes_after_their_context_entries, fresh),
        cmocka_unit_test_setup(a_unit_that_stays_off_gives_nothing_back, fresh),
        cmocka_unit_test_setup(without_a_unit_nothing_is_given_back, fresh),
    };
    return cmocka_run_group_tests_name("vtd_translate", tests, NULL, NULL);
}
