/* SPDX-License-Identifier: MIT */
// Finding, checking and turning on VT-d units.
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
#include <stdio.h>
#include <string.h>

#include "hypervisor/memory/pages.h"
#include "hypervisor/iommu/vtd.h"
#include "hypervisor/setup/iommu_registers.h"
#include "tests/unit/model/vtd_machine.h"
#include "tests/unit/support/host.h"

#define BASE 0xfed90000

static void assert_sound(void)
{
    if (vtd_model_violations() != 0)
        fail_msg("%u violations, the last: %s", vtd_model_violations(), vtd_model_violation_text());
}

static struct vtd_model *one_unit(uint64_t cap, uint64_t ecap)
{
    machine_reset();
    struct vtd_model *unit = vtd_model_add(BASE, cap, ecap);
    machine_drhd(0, true, BASE);
    return unit;
}

static void one_unit_is_turned_on(void **state)
{
    struct vtd_model *unit = machine_simple(MODEL_CAP, MODEL_ECAP);
    assert_sound();
    assert_true(iommu_enabled());
    assert_true(iommu_remaps_interrupts());
    assert_int_equal(unit->gsts, VTD_GLOBAL_TE | VTD_GLOBAL_SRTP | VTD_GLOBAL_QIE | VTD_GLOBAL_IRE |
                                     VTD_GLOBAL_SIRTP);
    assert_int_equal(unit->counts.context_global, 1);
    assert_int_equal(unit->counts.iotlb_global, 1);
    assert_int_equal(unit->counts.iec_global, 1);
    assert_int_equal(unit->fectl, 0);
    assert_int_equal(host_log_count("iommu.unit", "base=0xfed90000 version=1.0 cap="), 1);
    assert_int_equal(host_log_count("iommu.enabled", "units=1 levels=4 qi=yes ir=yes eim=yes"), 1);
    assert_int_equal(host_log_count("iommu.refused", NULL), 0);
    struct vtd_model_result result = vtd_model_dma(unit, 0x100, 0x1000, true);
    assert_false(result.allowed);
    assert_int_equal(result.reason, 1);
}

static void no_unit_is_not_found(void **state)
{
    machine_reset();
    assert_int_equal(machine_start(), STATUS_NOT_FOUND);
    assert_false(iommu_enabled());
}

static void impossible_bases_are_refused(void **state)
{
    machine_reset();
    vtd_model_add(BASE, MODEL_CAP, MODEL_ECAP);
    machine_drhd(0, false, 0);
    machine_drhd(0, false, 0xfed91800);
    machine_drhd(0, false, BASE);
    machine_drhd(0, true, BASE);
    assert_int_equal(machine_start(), STATUS_OK);
    assert_sound();
    assert_int_equal(host_log_count("iommu.refused", "base=0 "), 1);
    assert_int_equal(host_log_count("iommu.refused", "impossible register base"), 2);
    assert_int_equal(host_log_count("iommu.refused", "lists this unit twice"), 1);
    assert_int_equal(host_log_count("iommu.enabled", "units=1 "), 1);
    struct iommu_unit_report report;
    assert_true(iommu_unit_report(0, &report));
    assert_false(report.usable);
    assert_non_null(report.refusal);
    assert_false(iommu_unit_report(4, &report));
}

static void a_unit_that_does_not_answer_costs_only_its_devices(void **state)
{
    machine_reset();
    vtd_model_add(0xfed80000, MODEL_CAP, MODEL_ECAP)->dead = true;
    vtd_model_add(BASE, MODEL_CAP, MODEL_ECAP);
    machine_drhd(0, false, 0xfed80000);
    machine_scope(SCOPE_ENDPOINT, 0, "2.0");
    machine_drhd(0, true, BASE);
    struct pci_function *behind_dead = machine_function(RID(0, 0, 2, 0), NULL);
    struct pci_function *behind_good = machine_function(RID(0, 0, 3, 0), NULL);
    assert_int_equal(machine_start(), STATUS_OK);
    assert_sound();
    assert_int_equal(host_log_count("iommu.refused", "no VT-d unit answers"), 1);
    struct iommu_domain domain;
    assert_int_equal(iommu_domain_create(&domain, OWNER_GUEST(0)), STATUS_OK);
    assert_int_equal(iommu_connect(behind_dead, &domain), STATUS_UNSUPPORTED);
    assert_int_equal(iommu_connect(behind_good, &domain), STATUS_OK);
    assert_null(iommu_domain_of(behind_dead->rid));
}

static void only_dead_units_is_a_failure(void **state)
{
    struct vtd_model *unit = one_unit(MODEL_CAP, MODEL_ECAP);
    unit->dead = true;
    assert_int_equal(machine_start(), STATUS_DEVICE);
    assert_false(iommu_enabled());
}

static void functions_find_their_unit(void **state)
{
    machine_reset();
    for (unsigned i = 0; i < 5; i++)
        vtd_model_add(0xfed00000 + i * 0x10000, MODEL_CAP, MODEL_ECAP);
    machine_drhd(0, true, 0xfed00000); /* include-all stands first and must be asked last */
    machine_drhd(0, false, 0xfed10000);
    machine_scope(SCOPE_ENDPOINT, 0, "2.0");
    machine_scope(SCOPE_IOAPIC, 0, "3.0"); /* not a PCI function */
    machine_drhd(0, false, 0xfed20000);
    machine_scope(SCOPE_BRIDGE, 0, "1c.0");
    machine_drhd(0, false, 0xfed30000);
    machine_scope(SCOPE_ENDPOINT, 0, "1c.0/0.0/4.1"); /* more specific than the bridge above it */
    machine_drhd(1, true, 0xfed40000);
    struct pci_function *port = machine_bridge(RID(0, 0, 0x1c, 0), NULL, 1);
    struct pci_function *inner = machine_bridge(RID(0, 1, 0, 0), port, 2);
    struct pci_function *deep = machine_function(RID(0, 2, 4, 1), inner);
    struct pci_function *beside = machine_function(RID(0, 2, 4, 0), inner);
    struct pci_function *vf = machine_vf(RID(0, 3, 0, 0), deep); /* bus beyond the bridge's */
    struct pci_function *endpoint = machine_function(RID(0, 0, 2, 0), NULL);
    struct pci_function *other = machine_function(RID(0, 0, 3, 0), NULL);
    struct pci_function *root_vf = machine_vf(RID(0, 0, 0x12, 0), endpoint);
    struct pci_function *segment = machine_function(RID(1, 0, 2, 0), NULL);
    struct pci_function *nowhere = machine_function(RID(2, 0, 2, 0), NULL);
    assert_int_equal(machine_start(), STATUS_OK);
    assert_sound();
    assert_int_equal(iommu_unit_of(port), 2);
    assert_int_equal(iommu_unit_of(inner), 2);
    assert_int_equal(iommu_unit_of(beside), 2);
    assert_int_equal(iommu_unit_of(deep), 3);
    assert_int_equal(iommu_unit_of(vf), 3);
    assert_int_equal(iommu_unit_of(endpoint), 1);
    assert_int_equal(iommu_unit_of(root_vf), 1);
    assert_int_equal(iommu_unit_of(other), 0);
    assert_int_equal(iommu_unit_of(segment), 4);
    assert_int_equal(iommu_unit_of(nowhere), -1);
    struct iommu_domain domain;
    assert_int_equal(iommu_domain_create(&domain, OWNER_GUEST(0)), STATUS_OK);
    assert_int_equal(iommu_connect(nowhere, &domain), STATUS_NOT_FOUND);
}

static void depth_is_what_all_units_have(void **state)
{
    static const struct {
        unsigned first, second; /* SAGAW */
        unsigned levels, units;
    } cases[] = {
        {0x4, 0x4, 4, 2}, {0x2, 0x2, 3, 2}, {0x6, 0x2, 3, 2}, {0x2, 0x6, 3, 2},
        {0x6, 0xc, 4, 2}, {0x8, 0x8, 5, 2}, {0x2, 0x4, 4, 1}, {0x8, 0xc, 5, 2},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        machine_reset();
        uint64_t cap = (MODEL_CAP & ~MODEL_CAP_SAGAW(0x1f)) | UINT64_C(56) << 16;
        struct vtd_model *a =
            vtd_model_add(0xfed00000, cap | MODEL_CAP_SAGAW(cases[i].first), MODEL_ECAP);
        struct vtd_model *b =
            vtd_model_add(0xfed10000, cap | MODEL_CAP_SAGAW(cases[i].second), MODEL_ECAP);
        machine_drhd(0, false, 0xfed00000);
        machine_drhd(0, true, 0xfed10000);
        assert_int_equal(machine_start(), STATUS_OK);
        assert_sound();
        char expected[32];
        snprintf(expected, sizeof expected, "units=%u levels=%u ", cases[i].units, cases[i].levels);
        assert_int_equal(host_log_count("iommu.enabled", expected), 1);
        assert_int_equal(host_log_count("iommu.refused", "SAGAW"), 2 - cases[i].units);
        /* A unit that cannot be used blocks like any other. */
        assert_false(vtd_model_dma(a, 0x10, 0, true).allowed);
        assert_false(vtd_model_dma(b, 0x10, 0, true).allowed);
        assert_sound();
    }
}

static void unusable_capabilities_are_refused(void **state)
{
    static const struct {
        uint64_t cap;
        const char *message;
        bool blocks; /* it is turned on all the same, with a root table that stays empty */
    } cases[] = {
        {MODEL_CAP & ~MODEL_CAP_SAGAW(0x1f), "(SAGAW)", false},
        {MODEL_CAP | 7, "(ND)", true},
        {(MODEL_CAP & ~BITS(21, 16)) | UINT64_C(30) << 16, "(MGAW)", true},
        {MODEL_CAP & ~BITS(33, 24), "(FRO)", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct vtd_model *unit = one_unit(cases[i].cap, MODEL_ECAP);
        assert_int_equal(machine_start(), STATUS_DEVICE);
        assert_sound();
        assert_true(cases[i].blocks == ((unit->gsts & VTD_GLOBAL_TE) != 0));
        assert_int_equal(host_log_count("iommu.refused", cases[i].message), 1);
        assert_false(iommu_enabled());
    }
}

static void commands_that_hang_are_given_up(void **state)
{
    static const struct {
        uint32_t stuck;
        const char *message;
        enum status status;
    } cases[] = {
        {VTD_GLOBAL_SRTP, "does not take a root table", STATUS_DEVICE},
        {VTD_GLOBAL_TE, "translation cannot be turned on", STATUS_DEVICE},
        {VTD_GLOBAL_QIE, "queue cannot be started", STATUS_DEVICE},
        {VTD_GLOBAL_SIRTP, "interrupt remapping cannot be set up", STATUS_DEVICE},
        {VTD_GLOBAL_IRE, "interrupt remapping cannot be set up", STATUS_DEVICE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct vtd_model *unit = one_unit(MODEL_CAP, MODEL_ECAP);
        unit->stuck = cases[i].stuck;
        machine_start();
        assert_sound();
        assert_int_equal(host_log_count("iommu.refused", cases[i].message), 1);
        struct iommu_unit_report report;
        assert_true(iommu_unit_report(0, &report));
        assert_false(report.usable);
    }
}

static void a_translating_unit_is_taken_over_without_a_gap(void **state)
{
    struct vtd_model *unit = one_unit(MODEL_CAP, MODEL_ECAP);
    unit->gsts =
        VTD_GLOBAL_TE | VTD_GLOBAL_SRTP | VTD_GLOBAL_IRE | VTD_GLOBAL_SIRTP | VTD_GLOBAL_QIE;
    static uint64_t foreign_queue[512] __attribute__((aligned(4096)));
    static uint64_t foreign_table[512] __attribute__((aligned(4096)));
    unit->iqa = (uint64_t)(uintptr_t)foreign_queue;
    unit->iqh = unit->iqt = 0x40;
    unit->root = unit->rtaddr = (uint64_t)(uintptr_t)foreign_table;
    unit->irta = unit->irt = (uint64_t)(uintptr_t)foreign_table | VTD_IRTA_EIME | 7;
    assert_int_equal(machine_start(), STATUS_OK);
    assert_sound();
    assert_int_equal(unit->counts.translation_off, 0);
    assert_int_equal(host_log_count("iommu.takeover", "stays on"), 1);
    assert_int_not_equal(unit->root, (uint64_t)(uintptr_t)foreign_table);
    assert_int_not_equal(unit->irt & VTD_IRTA_MASK, (uint64_t)(uintptr_t)foreign_table);
    assert_int_not_equal(unit->iqa, (uint64_t)(uintptr_t)foreign_queue);
}

static void another_translation_mode_is_turned_off_first(void **state)
{
    struct vtd_model *unit = one_unit(MODEL_CAP, MODEL_ECAP);
    unit->gsts = VTD_GLOBAL_TE | VTD_GLOBAL_SRTP;
    unit->rtaddr = 0x100000 | UINT64_C(1) << 10;
    assert_int_equal(machine_start(), STATUS_OK);
    assert_sound();
    assert_int_equal(unit->counts.translation_off, 1);
    assert_int_equal(unit->rtaddr & VTD_RTADDR_TTM, 0);
}

static void compatibility_interrupts_are_turned_off(void **state)
{
    struct vtd_model *unit = one_unit(MODEL_CAP, MODEL_ECAP);
    unit->gsts = VTD_GLOBAL_CFI;
    assert_int_equal(machine_start(), STATUS_OK);
    assert_sound();
    assert_int_equal(unit->gsts & VTD_GLOBAL_CFI, 0);
    assert_int_equal(vtd_model_interrupt(unit, 0x10, 0xfee00000, 0x41).reason, 0x25);

    unit = one_unit(MODEL_CAP, MODEL_ECAP);
    unit->gsts = unit->stuck = VTD_GLOBAL_CFI;
    assert_int_equal(machine_start(), STATUS_DEVICE);
    assert_int_equal(host_log_count("iommu.interrupts", "stay on"), 1);
    assert_int_equal(host_log_count("iommu.refused", "could forge interrupts"), 1);
}

static void protected_memory_is_replaced(void **state)
{
    struct vtd_model *unit = one_unit(MODEL_CAP | VTD_CAP_PLMR | VTD_CAP_PHMR, MODEL_ECAP);
    unit->pmen = VTD_PMEN_EPM | VTD_PMEN_PRS;
    assert_int_equal(machine_start(), STATUS_OK);
    assert_sound();
    assert_int_equal(unit->pmen, 0);

    unit = one_unit(MODEL_CAP | VTD_CAP_PLMR, MODEL_ECAP);
    unit->pmen = VTD_PMEN_EPM | VTD_PMEN_PRS;
    unit->pmr_stuck = true;
    assert_int_equal(machine_start(), STATUS_DEVICE);
    assert_int_equal(host_log_count("iommu.refused", "protected memory regions stay on"), 1);
}

static void interrupts_are_not_remapped_without_support(void **state)
{
    struct vtd_model *unit = one_unit(MODEL_CAP, MODEL_ECAP & ~VTD_ECAP_IR);
    assert_int_equal(machine_start(), STATUS_OK);
    assert_sound();
    assert_false(iommu_remaps_interrupts());
    assert_int_equal(unit->gsts & VTD_GLOBAL_IRE, 0);
    assert_int_equal(host_log_count("iommu.enabled", "qi=yes ir=no eim=no"), 1);

    unit = one_unit(MODEL_CAP, MODEL_ECAP);
    machine_dmar_flags(0);
    assert_int_equal(machine_start(), STATUS_OK);
    assert_false(iommu_remaps_interrupts());

    unit = one_unit(MODEL_CAP, MODEL_ECAP & ~VTD_ECAP_QI);
    assert_int_equal(machine_start(), STATUS_OK);
    assert_sound();
    assert_int_equal(unit->counts.register_context, 1);
    assert_int_equal(unit->counts.register_iotlb, 1);
    assert_int_equal(host_log_count("iommu.enabled", "qi=no ir=no"), 1);
}

static void a_slow_unit_without_write_snooping_works(void **state)
{
    struct vtd_model *unit = one_unit(MODEL_CAP | VTD_CAP_RWBF, MODEL_ECAP & ~VTD_ECAP_C);
    unit->latency = 1000;
    assert_int_equal(machine_start(), STATUS_OK);
    assert_sound();
    assert_true(unit->counts.write_buffer > 0);
    assert_false(vtd_model_dma(unit, 0x100, 0, false).allowed);
    assert_sound();
}

/* Most are refused by code that is gone, with its texts, once the guests run. */
static void a_refusal_outlives_its_text(void **state)
{
    struct iommu_unit_report report;
    one_unit(MODEL_CAP, MODEL_ECAP);
    assert_int_equal(machine_start(), STATUS_OK);
    char text[200] = "first";
    vtd_refuse(&vtd.unit[0], 0, 0, text);
    strcpy(text, "second");
    vtd_refuse(&vtd.unit[0], 0, 0, text);
    assert_true(iommu_unit_report(0, &report) && !report.usable);
    assert_string_equal(report.refusal, "first");
    /* Cut, not written past its place. */
    struct vtd_unit other = {.refusal = ""};
    memset(text, 'x', sizeof text - 1);
    vtd_refuse(&other, 0, 0, text);
    assert_int_equal(strlen(other.refusal), sizeof other.refusal - 1);
    assert_string_equal(report.refusal, "first");
}

static void registers_past_the_first_page_are_mapped(void **state)
{
    struct vtd_model *unit = one_unit(
        (MODEL_CAP & ~BITS(33, 24)) | UINT64_C(0x100) << 24 | MODEL_CAP_NFR(256), MODEL_ECAP);
    assert_int_equal(machine_start(), STATUS_OK);
    vtd_model_fault(unit, 0x10, 0x1000, 5, true);
    host_clock_advance(1000000);
    struct iommu_fault fault;
    assert_true(iommu_fault_next(&fault));
    assert_int_equal(fault.address, 0x1000);
    assert_sound();
}

static void memory_running_out_is_survived(void **state)
{
    for (size_t pages = 0; pages < 20; pages++) {
        struct vtd_model *unit = one_unit(MODEL_CAP, MODEL_ECAP);
        host_pages_limit(pages_in_use() + pages);
        enum status status = machine_start();
        assert_int_equal(status, pages < 19 ? STATUS_DEVICE : STATUS_OK);
        assert_sound();
        if (pages >= 3) /* the table that blocks is there */
            assert_int_equal(unit->gsts & VTD_GLOBAL_TE, VTD_GLOBAL_TE);
    }
    host_pages_limit(SIZE_MAX);
}

static void reports_come_from_the_registers(void **state)
{
    struct vtd_model *unit = machine_simple(MODEL_CAP, MODEL_ECAP);
    struct iommu_unit_report report;
    assert_true(iommu_unit_report(0, &report));
    assert_true(report.usable);
    assert_int_equal(report.root_table, unit->root);
    assert_int_equal(report.interrupt_table, unit->irt);
    assert_int_equal(report.global_status, unit->gsts);
    assert_int_equal(report.capability, MODEL_CAP);
    /* A table that somebody else put there is what the report shows. */
    static uint64_t other[512] __attribute__((aligned(4096)));
    static uint64_t context[512] __attribute__((aligned(4096)));
    unit->rtaddr = (uint64_t)(uintptr_t)other;
    other[2] = (uint64_t)(uintptr_t)context | VTD_ROOT_P;
    context[0x10 * 2] = 0x5000 | VTD_CONTEXT_P | VTD_CONTEXT_FPD;
    context[0x10 * 2 + 1] = 0x1234 << 8 | 1;
    struct iommu_context_report entry;
    machine_context(0, 0x110, &entry);
    assert_true(entry.root_present && entry.present && entry.fault_reporting_off);
    assert_int_equal(entry.domain, 0x1234);
    assert_int_equal(entry.levels, 3);
    assert_int_equal(entry.table, 0x5000);
    struct iommu_context_report same;
    iommu_context_report((uint64_t)(uintptr_t)other, 0x110, &same);
    assert_true(same.present && same.context_low == entry.context_low);
    machine_context(0, 0x210, &entry);
    assert_false(entry.root_present);
    machine_context(7, 0x110, &entry);
    assert_false(entry.root_present);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_unit_is_turned_on),
        cmocka_unit_test(no_unit_is_not_found),
        cmocka_unit_test(impossible_bases_are_refused),
        cmocka_unit_test(a_unit_that_does_not_answer_costs_only_its_devices),
        cmocka_unit_test(only_dead_units_is_a_failure),
        cmocka_unit_test(functions_find_their_unit),
        cmocka_unit_test(depth_is_what_all_units_have),
        cmocka_unit_test(unusable_capabilities_are_refused),
        cmocka_unit_test(commands_that_hang_are_given_up),
        cmocka_unit_test(a_translating_unit_is_taken_over_without_a_gap),
        cmocka_unit_test(another_translation_mode_is_turned_off_first),
        cmocka_unit_test(compatibility_interrupts_are_turned_off),
        cmocka_unit_test(protected_memory_is_replaced),
        cmocka_unit_test(interrupts_are_not_remapped_without_support),
        cmocka_unit_test(a_slow_unit_without_write_snooping_works),
        cmocka_unit_test(registers_past_the_first_page_are_mapped),
        cmocka_unit_test(memory_running_out_is_survived),
        cmocka_unit_test(reports_come_from_the_registers),
        cmocka_unit_test(a_refusal_outlives_its_text),
    };
    return cmocka_run_group_tests_name("vtd_units", tests, NULL, NULL);
}
