/* SPDX-License-Identifier: MIT */
// Interrupt remapping entries: whose they are, what they deliver, and to whom.
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
#include "hypervisor/iommu/vtd.h"
#include "hypervisor/setup/iommu_registers.h"
#include "tests/unit/model/vtd_machine.h"
#include "tests/unit/support/host.h"

static struct pci_function *function, *other;

static void assert_sound(void)
{
    if (vtd_model_violations() != 0)
        fail_msg("%u violations, the last: %s", vtd_model_violations(), vtd_model_violation_text());
}

static struct vtd_model *start(uint64_t cap, uint64_t ecap, bool x2apic)
{
    machine_reset();
    vtd_model_x2apic(x2apic);
    struct vtd_model *unit = vtd_model_add(0xfed90000, cap, ecap);
    machine_drhd(0, true, unit->base);
    function = machine_function(RID(0, 1, 0x10, 1), NULL);
    other = machine_function(RID(0, 1, 0x10, 3), NULL);
    assert_int_equal(machine_start(), STATUS_OK);
    vtd_model_counts_clear(unit);
    return unit;
}

static struct vtd_model_result deliver(struct vtd_model *unit, const struct pci_function *from,
                                       const struct iommu_msi *msi)
{
    return vtd_model_interrupt(unit, (uint16_t)from->rid, msi->address_low, msi->data);
}

static void a_message_reaches_its_core_only_from_its_function(void **state)
{
    for (unsigned kind = 0; kind < 8; kind++) {
        struct vtd_model *unit =
            start(MODEL_CAP | (kind & 1 ? VTD_CAP_CM : 0),
                  MODEL_ECAP & ~(kind & 2 ? VTD_ECAP_C : 0) & ~(kind & 4 ? VTD_ECAP_EIM : 0), true);
        /* Refused before, which a unit with caching mode remembers. */
        assert_int_equal(vtd_model_interrupt(unit, (uint16_t)function->rid, 0xfee00030, 0).reason,
                         0x22);
        struct iommu_msi msi;
        assert_int_equal(iommu_interrupt_allocate(function, 5, 0x41, &msi), STATUS_OK);
        assert_int_equal(unit->counts.iec_index, 1);
        assert_int_equal(unit->counts.wait, 1);
        assert_int_not_equal(msi.index, 0);
        assert_int_equal(msi.address_high, 0);
        assert_int_equal(msi.data, 0);
        struct vtd_model_result result = deliver(unit, function, &msi);
        assert_true(result.allowed);
        assert_int_equal(result.vector, 0x41);
        assert_int_equal(result.destination, 5);
        assert_int_equal(deliver(unit, other, &msi).reason, 0x26);
        assert_int_equal(iommu_interrupt_free(function, msi.index), STATUS_OK);
        assert_int_equal(deliver(unit, function, &msi).reason, 0x22);
        assert_sound();
    }
}

static bool report_of(uint32_t index, struct iommu_irte_report *report)
{
    struct iommu_unit_report unit;
    assert_true(iommu_unit_report(0, &unit));
    return iommu_irte_report(unit.interrupt_table, index, report);
}

static void forged_messages_are_blocked(void **state)
{
    struct vtd_model *unit = start(MODEL_CAP, MODEL_ECAP, true);
    struct iommu_msi msi;
    assert_int_equal(iommu_interrupt_allocate(function, 5, 0x41, &msi), STATUS_OK);
    for (uint32_t vector = 0; vector < 256; vector++)
        assert_int_equal(
            vtd_model_interrupt(unit, (uint16_t)other->rid, 0xfee00000 | vector << 12, vector)
                .reason,
            0x25);
    for (uint32_t index = 0; index < 0x10000; index++) {
        uint32_t address = VTD_MSI_ADDRESS | VTD_MSI_REMAPPABLE | VTD_MSI_HANDLE(index);
        assert_false(vtd_model_interrupt(unit, (uint16_t)other->rid, address, 0).allowed);
        assert_int_equal(vtd_model_interrupt(unit, (uint16_t)function->rid, address, 0).allowed,
                         index == msi.index);
    }
    assert_sound();
}

/* Firmware may leave it on, and only a unit without 32-bit destinations heeds it (VT-d 5.1.2.1). */
static void compatibility_format_is_turned_off(void **state)
{
    machine_reset();
    vtd_model_x2apic(false);
    struct vtd_model *unit = vtd_model_add(0xfed90000, MODEL_CAP, MODEL_ECAP & ~VTD_ECAP_EIM);
    unit->gsts |= VTD_GLOBAL_CFI;
    machine_drhd(0, true, unit->base);
    function = machine_function(RID(0, 1, 0x10, 1), NULL);
    assert_int_equal(machine_start(), STATUS_OK);
    assert_int_equal(unit->gsts & VTD_GLOBAL_CFI, 0);
    assert_int_equal(vtd_model_interrupt(unit, (uint16_t)function->rid, 0xfee01000, 0x41).reason,
                     0x25);
    assert_sound();
}

static void only_the_owner_changes_an_entry(void **state)
{
    struct vtd_model *unit = start(MODEL_CAP, MODEL_ECAP, true);
    struct iommu_msi msi;
    assert_int_equal(iommu_interrupt_allocate(function, 5, 0x41, &msi), STATUS_OK);
    assert_int_equal(iommu_interrupt_free(other, msi.index), STATUS_DENIED);
    assert_int_equal(iommu_interrupt_free(function, 0), STATUS_DENIED);
    assert_int_equal(iommu_interrupt_allocate(function, 5, 15, &msi), STATUS_INVALID);
    assert_int_equal(deliver(unit, function, &msi).vector, 0x41);
    assert_sound();
}

static void destinations_are_what_the_unit_can_say(void **state)
{
    struct iommu_msi msi;
    struct vtd_model *unit = start(MODEL_CAP, MODEL_ECAP, true);
    assert_int_equal(iommu_interrupt_allocate(function, 0x12345, 0x41, &msi), STATUS_OK);
    assert_int_equal(deliver(unit, function, &msi).destination, 0x12345);
    assert_int_equal(unit->irt & VTD_IRTA_EIME, VTD_IRTA_EIME);
    struct iommu_irte_report report;
    assert_true(report_of(msi.index, &report));
    assert_int_equal(report.destination, 0x12345);

    unit = start(MODEL_CAP, MODEL_ECAP & ~VTD_ECAP_EIM, true);
    assert_int_equal(host_log_count("iommu.enabled", "eim=no"), 1);
    assert_int_equal(iommu_interrupt_allocate(function, 0x100, 0x41, &msi), STATUS_UNSUPPORTED);
    assert_int_equal(iommu_interrupt_allocate(function, 0xff, 0x41, &msi), STATUS_UNSUPPORTED);
    assert_int_equal(iommu_interrupt_allocate(function, 0xfe, 0x41, &msi), STATUS_OK);
    assert_int_equal(deliver(unit, function, &msi).destination, 0xfe);

    unit = start(MODEL_CAP, MODEL_ECAP, false); /* the cores are in xAPIC mode */
    assert_int_equal(unit->irt & VTD_IRTA_EIME, 0);
    assert_int_equal(iommu_interrupt_allocate(function, 7, 0x41, &msi), STATUS_OK);
    assert_int_equal(deliver(unit, function, &msi).destination, 7);
    assert_true(report_of(msi.index, &report));
    assert_int_equal(report.destination, 7);
    assert_sound();
}

static void the_table_fills_and_empties(void **state)
{
    struct vtd_model *unit = start(MODEL_CAP, MODEL_ECAP, true);
    struct iommu_msi msi;
    static bool seen[65536];
    for (unsigned i = 1; i < VTD_INTERRUPT_ENTRIES; i++) {
        assert_int_equal(
            iommu_interrupt_allocate(i % 2 ? function : other, 1, (uint8_t)(32 + i % 200), &msi),
            STATUS_OK);
        assert_in_range(msi.index, 1, VTD_INTERRUPT_ENTRIES - 1);
        assert_false(seen[msi.index]);
        seen[msi.index] = true;
    }
    assert_int_equal(iommu_interrupt_allocate(function, 1, 0x41, &msi), STATUS_FULL);
    vtd_model_counts_clear(unit);
    iommu_interrupts_release(function);
    assert_int_equal(unit->counts.iec_global, 1);
    assert_int_equal(unit->counts.wait, 1);
    unsigned present = 0;
    struct iommu_irte_report report;
    for (uint32_t i = 0; report_of(i, &report); i++) {
        present += report.present;
        assert_int_equal(report.present ? report.source : (uint16_t)other->rid,
                         (uint16_t)other->rid);
        if (!report.present)
            assert_true(report.low == 0 && report.high == 0);
    }
    assert_int_equal(present, VTD_INTERRUPT_ENTRIES / 2 - 1);
    assert_int_equal(iommu_interrupt_allocate(function, 1, 0x41, &msi), STATUS_OK);
    iommu_interrupts_release(function);
    vtd_model_counts_clear(unit);
    iommu_interrupts_release(function); /* nothing left: nothing asked of the unit */
    assert_int_equal(unit->counts.wait, 0);
    assert_false(report_of(VTD_INTERRUPT_ENTRIES, &report));
    assert_sound();
}

static void without_remapping_nothing_is_given_out(void **state)
{
    struct iommu_msi msi;
    start(MODEL_CAP, MODEL_ECAP & ~VTD_ECAP_IR, true);
    assert_int_equal(iommu_interrupt_allocate(function, 1, 0x41, &msi), STATUS_UNSUPPORTED);
    assert_int_equal(iommu_interrupt_free(function, 1), STATUS_UNSUPPORTED);
    iommu_interrupts_release(function);
    struct iommu_irte_report report;
    assert_false(report_of(1, &report));
    assert_sound();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_reaches_its_core_only_from_its_function),
        cmocka_unit_test(forged_messages_are_blocked),
        cmocka_unit_test(compatibility_format_is_turned_off),
        cmocka_unit_test(only_the_owner_changes_an_entry),
        cmocka_unit_test(destinations_are_what_the_unit_can_say),
        cmocka_unit_test(the_table_fills_and_empties),
        cmocka_unit_test(without_remapping_nothing_is_given_out),
    };
    return cmocka_run_group_tests_name("vtd_interrupts", tests, NULL, NULL);
}
