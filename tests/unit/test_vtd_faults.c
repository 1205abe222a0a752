/* SPDX-License-Identifier: MIT */
// Fault records: all of them, of every unit, in order, and the event that announces them.
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
#include <string.h>

#include "hypervisor/iommu/vtd.h"
#include "hypervisor/setup/iommu_registers.h"
#include "tests/unit/model/vtd_machine.h"
#include "tests/unit/support/host.h"

static struct iommu_fault seen[1024];
static unsigned seen_count;

static void assert_sound(void)
{
    if (vtd_model_violations() != 0)
        fail_msg("%u violations, the last: %s", vtd_model_violations(), vtd_model_violation_text());
}

static unsigned one_pass(void)
{
    seen_count = 0;
    while (iommu_fault_next(&seen[seen_count]))
        assert_true(++seen_count < ARRAY_SIZE(seen));
    return seen_count;
}

static unsigned drain(void)
{
    host_clock_advance(1000000);
    return one_pass();
}

static void a_fault_is_reported_once_and_whole(void **state)
{
    struct vtd_model *unit = machine_simple(MODEL_CAP, MODEL_ECAP);
    assert_int_equal(drain(), 0);
    unit->pasid_rubbish = true;
    vtd_model_fault(unit, 0x1082, 0x12345678000, 5, true);
    assert_int_equal(drain(), 1);
    assert_int_equal(seen[0].rid, 0x1082);
    assert_int_equal(seen[0].address, 0x12345678000);
    assert_int_equal(seen[0].reason, 5);
    assert_true(seen[0].write);
    assert_false(seen[0].interrupt || seen[0].overflow);
    assert_int_equal(drain(), 0);
    vtd_model_fault(unit, 0x1082, 0x1000, 6, false);
    assert_int_equal(drain(), 1);
    assert_false(seen[0].write);
    assert_int_equal(seen[0].reason, 6);
    assert_sound();
}

static void an_interrupt_fault_carries_its_index(void **state)
{
    struct vtd_model *unit = machine_simple(MODEL_CAP, MODEL_ECAP);
    vtd_model_interrupt(unit, 0x1082, VTD_MSI_ADDRESS | VTD_MSI_REMAPPABLE | VTD_MSI_HANDLE(3071),
                        0);
    assert_int_equal(drain(), 1);
    assert_true(seen[0].interrupt);
    assert_int_equal(seen[0].address, 3071);
    assert_int_equal(seen[0].reason, 0x22);
    assert_int_equal(seen[0].rid, 0x1082);
    assert_sound();
}

/* Every number of registers, so also the last one, and every place in the ring to begin at. */
static void every_record_is_drained_in_order(void **state)
{
    static const unsigned counts[] = {1, 2, 3, 8, 255, 256};
    for (size_t c = 0; c < ARRAY_SIZE(counts); c++) {
        unsigned count = counts[c];
        struct vtd_model *unit = machine_simple(MODEL_CAP | MODEL_CAP_NFR(count), MODEL_ECAP);
        for (unsigned round = 0; round < 5; round++) {
            unsigned faults = round % 2 ? count : count / 2 + 1;
            for (unsigned i = 0; i < faults; i++)
                vtd_model_fault(unit, (uint16_t)i, (uint64_t)(round * 1000 + i) << 12, 2, true);
            assert_int_equal(unit->fsts & VTD_FSTS_PFO, 0);
            assert_int_equal(drain(), faults);
            for (unsigned i = 0; i < faults; i++) {
                assert_int_equal(seen[i].rid, i);
                assert_int_equal(seen[i].address, (uint64_t)(round * 1000 + i) << 12);
                assert_false(seen[i].overflow);
            }
            assert_int_equal(drain(), 0);
        }
        assert_sound();
    }
}

static void overflow_is_told_and_cleared(void **state)
{
    struct vtd_model *unit = machine_simple(MODEL_CAP | MODEL_CAP_NFR(4), MODEL_ECAP);
    for (unsigned storm = 0; storm < 50; storm++) {
        for (unsigned i = 0; i < 100; i++)
            vtd_model_fault(unit, 0x10, i * PAGE_SIZE, 5, true);
        assert_int_equal(unit->fsts & VTD_FSTS_PFO, VTD_FSTS_PFO);
        assert_int_equal(drain(), 4); /* bounded, however many there were */
        assert_true(seen[0].overflow);
        assert_int_equal(unit->fsts & VTD_FSTS_PFO, 0);
    }
    vtd_model_fault(unit, 0x10, 0, 5, true);
    assert_int_equal(drain(), 1);
    assert_false(seen[0].overflow);
    assert_sound();
}

/* A device that faults as fast as its records are taken: the turn ends all the same. */
static void a_pass_ends_while_faults_go_on(void **state)
{
    static const unsigned counts[] = {1, 8, 256};
    for (size_t c = 0; c < ARRAY_SIZE(counts); c++) {
        struct vtd_model *unit = machine_simple(MODEL_CAP | MODEL_CAP_NFR(counts[c]), MODEL_ECAP);
        struct iommu_fault fault;
        vtd_model_fault(unit, 0x10, 0, 5, true);
        host_clock_advance(1000000);
        for (unsigned pass = 0; pass < 20; pass++) {
            unsigned taken = 0;
            while (iommu_fault_next(&fault)) {
                assert_true(++taken <= counts[c]);
                vtd_model_fault(unit, 0x10, taken * PAGE_SIZE, 5, true);
                vtd_model_fault(unit, 0x10, taken * PAGE_SIZE, 5, true);
            }
            host_clock_advance(1000000);
        }
        assert_true(one_pass() <= counts[c]);
        assert_int_equal(unit->fsts & VTD_FSTS_PFO, 0);
        assert_sound();
    }
}

static void all_units_are_drained(void **state)
{
    machine_reset();
    struct vtd_model *a = vtd_model_add(0xfed00000, MODEL_CAP, MODEL_ECAP);
    struct vtd_model *b = vtd_model_add(0xfed10000, MODEL_CAP | MODEL_CAP_NFR(2), MODEL_ECAP);
    machine_drhd(0, true, 0xfed00000);
    machine_drhd(3, true, 0xfed10000);
    assert_int_equal(machine_start(), STATUS_OK);
    vtd_model_fault(a, 0x10, 0, 2, true);
    vtd_model_fault(b, 0x18, 0, 2, true);
    vtd_model_fault(b, 0x20, 0, 2, true);
    assert_int_equal(drain(), 3);
    assert_int_equal(seen[0].rid, 0x10);
    assert_int_equal(seen[1].rid, RID(3, 0, 3, 0));
    assert_int_equal(seen[2].rid, RID(3, 0, 4, 0));
    assert_sound();
}

static void old_records_are_dropped_at_the_start(void **state)
{
    machine_reset();
    struct vtd_model *unit = vtd_model_add(0xfed90000, MODEL_CAP | MODEL_CAP_NFR(3), MODEL_ECAP);
    machine_drhd(0, true, 0xfed90000);
    for (unsigned i = 0; i < 5; i++)
        vtd_model_fault(unit, 0x10, 0x1000, 5, true);
    assert_int_equal(machine_start(), STATUS_OK);
    assert_int_equal(drain(), 0);
    assert_int_equal(unit->fsts & VTD_FSTS_PFO, 0);
    assert_sound();
}

static void the_event_reaches_the_control_core(void **state)
{
    static const struct {
        uint32_t apic_id;
        uint64_t ecap;
        bool reaches;
    } cases[] = {
        {0, MODEL_ECAP, true},
        {0xfe, MODEL_ECAP & ~VTD_ECAP_EIM, true},
        {0x12345, MODEL_ECAP, true},
        {0x100, MODEL_ECAP & ~VTD_ECAP_EIM, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        machine_reset();
        vtd_model_control_core(cases[i].apic_id);
        struct vtd_model *unit = vtd_model_add(0xfed90000, MODEL_CAP, cases[i].ecap);
        machine_drhd(0, true, 0xfed90000);
        assert_int_equal(machine_start(), STATUS_OK);
        assert_int_equal(drain(), 0);
        vtd_model_fault(unit, 0x10, 0, 2, true);
        assert_int_equal(vtd_model_fault_interrupts(), cases[i].reaches);
        /* With the event at once, without it after the polling period. */
        assert_int_equal(one_pass(), cases[i].reaches);
        assert_int_equal(drain(), !cases[i].reaches);
        assert_sound();
    }
}

static void reasons_have_words(void **state)
{
    for (unsigned reason = 0; reason < 256; reason++) {
        const char *text = iommu_fault_reason((uint8_t)reason);
        assert_non_null(text);
        assert_true(strlen(text) > 10);
        assert_null(strchr(text, '"'));
    }
    for (unsigned reason = 1; reason <= 0xe; reason++)
        for (unsigned lower = 1; lower < reason; lower++)
            assert_string_not_equal(iommu_fault_reason((uint8_t)reason),
                                    iommu_fault_reason((uint8_t)lower));
    assert_non_null(strstr(iommu_fault_reason(0x26), "another function"));
    assert_non_null(strstr(iommu_fault_reason(0x25), "compatibility"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fault_is_reported_once_and_whole),
        cmocka_unit_test(an_interrupt_fault_carries_its_index),
        cmocka_unit_test(every_record_is_drained_in_order),
        cmocka_unit_test(overflow_is_told_and_cleared),
        cmocka_unit_test(a_pass_ends_while_faults_go_on),
        cmocka_unit_test(all_units_are_drained),
        cmocka_unit_test(old_records_are_dropped_at_the_start),
        cmocka_unit_test(the_event_reaches_the_control_core),
        cmocka_unit_test(reasons_have_words),
    };
    return cmocka_run_group_tests_name("vtd_faults", tests, NULL, NULL);
}
