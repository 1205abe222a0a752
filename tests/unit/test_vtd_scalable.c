/* SPDX-License-Identifier: MIT */
// Scalable mode, linked in place of legacy mode's format: the same promises by other tables.
// SOURCES: hypervisor/iommu/vtd_scalable.c tests/unit/model/vtd_model_scalable.c
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
// SOURCES: hypervisor/iommu/vtd_domain_destroy.c
// SOURCES: hypervisor/setup/iommu_quirks.c
#include <string.h>

#include "hypervisor/iommu/vtd.h"
#include "hypervisor/memory/pages.h"
#include "tests/unit/model/vtd_machine.h"
#include "tests/unit/support/host.h"

#define RW   (PAGE_READ | PAGE_WRITE)
#define ECAP (MODEL_ECAP | VTD_ECAP_SMTS | VTD_ECAP_SSTS | VTD_ECAP_SMPWC)

static struct iommu_domain domain, other;
static struct pci_function *function;
static uint16_t source;

static void assert_sound(void)
{
    if (vtd_model_violations() != 0)
        fail_msg("%u violations, the first: %s", vtd_model_violations(),
                 vtd_model_first_violation_text());
}

static struct vtd_model *start(uint64_t cap, uint64_t ecap)
{
    struct vtd_model *unit = machine_simple(cap, ecap);
    function = machine_function(RID(0, 1, 0x10, 2), NULL);
    source = (uint16_t)function->rid;
    assert_int_equal(iommu_domain_create(&domain, OWNER_GUEST(0)), STATUS_OK);
    assert_int_equal(iommu_domain_map(&domain, 0, GIB(1), MIB(4), RW), STATUS_OK);
    return unit;
}

static bool reaches(struct vtd_model *unit, uint16_t requester, uint64_t address, uint64_t physical)
{
    struct vtd_model_result got = vtd_model_dma(unit, requester, address, true);
    return got.allowed && got.physical == physical;
}

static void connecting_and_disconnecting_cost_four_descriptors_each(void **state)
{
    struct vtd_model *unit = start(MODEL_CAP, ECAP);
    assert_true(unit->scalable);
    assert_int_equal(vtd_model_dma(unit, source, 0x1000, true).reason, 1);
    vtd_model_counts_clear(unit);
    assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
    struct vtd_model_counts expected = {
        .context_device = 1, .context_present = 1, .pasid_domain = 1, .iotlb_domain = 1, .wait = 1};
    assert_memory_equal(&unit->counts, &expected, sizeof expected);
    assert_true(reaches(unit, source, 0x201234, GIB(1) + 0x201234));
    assert_int_equal(vtd_model_dma(unit, source, MIB(4), true).reason, 5);
    assert_int_equal(vtd_model_dma(unit, source, MIB(4), false).reason, 6);
    assert_int_equal(vtd_model_dma(unit, source ^ 1, 0x1000, true).reason, 2);
    vtd_model_counts_clear(unit);
    expected.context_present = 0;
    assert_int_equal(iommu_disconnect(function, &domain), STATUS_OK);
    assert_memory_equal(&unit->counts, &expected, sizeof expected);
    assert_int_equal(vtd_model_dma(unit, source, 0x201234, true).reason, 2);
    assert_sound();
}

static void it_works_on_every_kind_of_unit(void **state)
{
    static const uint64_t depths[] = {2, 4, 8};
    for (unsigned n = 0; n < 3 * 16; n++) {
        uint64_t cap = MODEL_CAP & ~(MODEL_CAP_SAGAW(0x1f) | BITS(21, 16)), ecap = ECAP;
        unsigned kind = n / 3;
        cap |= MODEL_CAP_SAGAW(depths[n % 3]) | UINT64_C(38) << 16;
        cap |= (kind & 1 ? VTD_CAP_CM : 0) | (kind & 2 ? VTD_CAP_RWBF : 0);
        ecap &= ~(kind & 4 ? VTD_ECAP_C : 0);
        ecap &= ~(kind & 8 ? VTD_ECAP_SMPWC : 0);
        struct vtd_model *unit = start(cap, ecap);
        /* Asked before, so that a unit with caching mode remembers the answer. */
        assert_false(vtd_model_dma(unit, source, 0x1000, true).allowed);
        assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
        assert_true(reaches(unit, source, 0x3ff008, GIB(1) + 0x3ff008));
        assert_int_equal(iommu_domain_map(&domain, MIB(4), GIB(2), 0x3000, RW), STATUS_OK);
        assert_true(reaches(unit, source, MIB(4), GIB(2)));
        assert_int_equal(iommu_domain_unmap(&domain, MIB(4), 0x3000), STATUS_OK);
        assert_false(vtd_model_dma(unit, source, MIB(4), true).allowed);
        assert_int_equal(iommu_disconnect(function, &domain), STATUS_OK);
        assert_false(vtd_model_dma(unit, source, 0x1000, true).allowed);
        iommu_domain_destroy(&domain);
        assert_sound();
    }
}

/* Walks of scalable mode's tables are coherent by a capability of their own. */
static void tables_are_flushed_where_walks_do_not_snoop(void **state)
{
    start(MODEL_CAP, ECAP);
    assert_false(vtd.flush);
    start(MODEL_CAP, ECAP & ~VTD_ECAP_SMPWC);
    assert_true(vtd.flush);
    start(MODEL_CAP, ECAP & ~VTD_ECAP_C);
    assert_true(vtd.flush);
}

/* Each half of a bus's root entry is for half of its devices. */
static void both_halves_of_a_bus(void **state)
{
    struct vtd_model *unit = start(MODEL_CAP, ECAP);
    static const uint8_t devices[] = {0, 0xf, 0x10, 0x1f};
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
        struct pci_function *one = machine_function(RID(0, 1, devices[i], 7), NULL);
        assert_int_equal(iommu_connect(one, &domain), STATUS_OK);
        assert_true(reaches(unit, (uint16_t)one->rid, 0x1000, GIB(1) + 0x1000));
        if (i < 2)
            assert_false(vtd_model_dma(unit, (uint16_t)(one->rid ^ 0x80), 0x1000, true).allowed);
    }
    assert_int_equal(vtd_model_dma(unit, RID(0, 1, 8, 7), 0x1000, true).reason, 2);
    assert_sound();
}

/* A second function of a domain uses the PASID table that is there, and leaves it alone. */
static void functions_of_a_domain_share_its_pasid_table(void **state)
{
    struct vtd_model *unit = start(MODEL_CAP, ECAP);
    struct pci_function *second = machine_function(RID(0, 1, 0x10, 4), NULL);
    assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
    assert_true(reaches(unit, source, 0x1000, GIB(1) + 0x1000));
    size_t pages = pages_in_use();
    assert_int_equal(iommu_connect(second, &domain), STATUS_OK);
    assert_int_equal(pages_in_use(), pages);
    assert_true(reaches(unit, (uint16_t)second->rid, 0x1000, GIB(1) + 0x1000));
    assert_int_equal(iommu_disconnect(second, &domain), STATUS_OK);
    assert_true(reaches(unit, source, 0x2000, GIB(1) + 0x2000));
    assert_false(vtd_model_dma(unit, (uint16_t)second->rid, 0x1000, true).allowed);
    assert_sound();
}

/* Two domains, and an id whose first domain is gone. */
static void domains_do_not_see_each_other(void **state)
{
    struct vtd_model *unit = start(MODEL_CAP, ECAP);
    struct pci_function *second = machine_function(RID(0, 1, 0x10, 4), NULL);
    assert_int_equal(iommu_domain_create(&other, OWNER_GUEST(1)), STATUS_OK);
    assert_int_equal(iommu_domain_map(&other, 0, GIB(3), MIB(2), RW), STATUS_OK);
    assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
    assert_int_equal(iommu_connect(second, &other), STATUS_OK);
    assert_true(reaches(unit, source, 0x1000, GIB(1) + 0x1000));
    assert_true(reaches(unit, (uint16_t)second->rid, 0x1000, GIB(3) + 0x1000));
    uint16_t id = other.id;
    assert_int_equal(iommu_disconnect(second, &other), STATUS_OK);
    iommu_domain_destroy(&other);
    assert_int_equal(iommu_domain_create(&other, OWNER_GUEST(2)), STATUS_OK);
    assert_int_equal(other.id, id);
    assert_int_equal(iommu_domain_map(&other, 0, GIB(5), MIB(2), RW), STATUS_OK);
    assert_int_equal(iommu_connect(second, &other), STATUS_OK);
    assert_true(reaches(unit, (uint16_t)second->rid, 0x1000, GIB(5) + 0x1000));
    assert_sound();
}

static void a_function_is_blocked_whatever_its_entry_says(void **state)
{
    struct vtd_model *unit = start(MODEL_CAP, ECAP);
    assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
    assert_true(vtd_model_dma(unit, source, 0x1000, true).allowed);
    iommu_fault_reporting(function, false);
    assert_true(iommu_block(function->rid));
    assert_false(vtd_model_dma(unit, source, 0x1000, true).allowed);
    assert_int_equal(unit->frcd[0][1], 0);
    assert_sound();
}

/* Of a context table, then of what a domain has beside its second-stage tables. */
static void no_memory_is_said(void **state)
{
    struct vtd_model *unit = start(MODEL_CAP, ECAP);
    struct iommu_domain several[16]; /* the last has an id that no test had */
    for (size_t i = 0; i < ARRAY_SIZE(several); i++)
        assert_int_equal(iommu_domain_create(&several[i], OWNER_GUEST(1)), STATUS_OK);
    struct iommu_domain *last = &several[ARRAY_SIZE(several) - 1];
    assert_int_equal(iommu_domain_map(last, 0, GIB(1), MIB(4), RW), STATUS_OK);
    for (size_t pages = 0; pages < 3; pages++) {
        host_pages_limit(pages_in_use() + (pages == 1 ? 1 : 0));
        assert_int_equal(iommu_connect(function, last), STATUS_NO_MEMORY);
        assert_false(vtd_model_dma(unit, source, 0x1000, true).allowed);
    }
    host_pages_limit(SIZE_MAX);
    assert_int_equal(iommu_connect(function, last), STATUS_OK);
    assert_sound();
}

/* What the monitor and the audit see, from RTADDR down. */
static void the_report_reads_what_the_unit_reads(void **state)
{
    start(MODEL_CAP, ECAP);
    assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
    struct iommu_unit_report report;
    struct iommu_context_report entry;
    assert_true(iommu_unit_report(0, &report));
    assert_int_equal(report.root_table & VTD_RTADDR_TTM, report.table_mode);
    iommu_context_report(report.root_table, source, &entry);
    assert_true(entry.root_present && entry.present && !entry.fault_reporting_off);
    assert_int_equal(entry.domain, domain.id);
    assert_int_equal(entry.levels, domain.table.levels);
    assert_ptr_equal(entry.live.root, domain.table.root);
    iommu_context_report(report.root_table, source ^ 1, &entry);
    assert_true(entry.root_present && !entry.present && entry.live.root == NULL);
    iommu_context_report(report.root_table, source ^ 0x80, &entry);
    assert_false(entry.root_present || entry.present);

    /* Another format is not read as this one. */
    iommu_context_report(report.root_table & ~VTD_RTADDR_TTM, source, &entry);
    assert_false(entry.root_present || entry.present);

    /* What is not second-stage translation is not a table that could be walked. */
    iommu_context_report(report.root_table, source, &entry);
    uint64_t *directory = (uint64_t *)(uintptr_t)(entry.context_low & VTD_PASID_ADDRESS);
    struct vtd_pasid_entry *pasid =
        (struct vtd_pasid_entry *)(uintptr_t)(directory[0] & VTD_PASID_ADDRESS);
    for (unsigned kind = 0; kind < 8; kind++) {
        pasid->low = (pasid->low & ~BITS(8, 6)) | (uint64_t)kind << 6;
        iommu_context_report(report.root_table, source, &entry);
        assert_true(entry.present);
        assert_int_equal(entry.live.root != NULL, kind == VTD_PASID_SECOND_STAGE);
    }
    directory[0] = 0;
    iommu_context_report(report.root_table, source, &entry);
    assert_true(entry.present && entry.live.root == NULL && entry.pasid_low == 0);
}

static void units_that_cannot_are_refused(void **state)
{
    static const struct {
        uint64_t lacks;
        const char *says;
    } kinds[] = {{VTD_ECAP_SMTS, "it has no scalable mode"},
                 {VTD_ECAP_SSTS, "no second-stage translation"},
                 {VTD_ECAP_QI, "it has no scalable mode"}};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        machine_reset();
        struct vtd_model *unit = vtd_model_add(0xfed90000, MODEL_CAP, ECAP & ~kinds[i].lacks);
        machine_drhd(0, true, 0xfed90000);
        assert_int_equal(machine_start(), STATUS_DEVICE);
        assert_int_equal(unit->scalable, kinds[i].lacks == VTD_ECAP_SSTS);
        assert_int_equal(host_log_count("iommu.refused", kinds[i].says), 1);
        assert_sound();
    }
}

/* Tables of another format cannot be exchanged under way. */
static void a_unit_in_legacy_mode_is_taken_over(void **state)
{
    machine_reset();
    struct vtd_model *unit = vtd_model_add(0xfed90000, MODEL_CAP, ECAP);
    uint64_t *root = pages_allocate(1);
    unit->root = unit->rtaddr = (uint64_t)(uintptr_t)root;
    unit->gsts = VTD_GLOBAL_TE | VTD_GLOBAL_SRTP;
    machine_drhd(0, true, 0xfed90000);
    assert_int_equal(machine_start(), STATUS_OK);
    assert_true(unit->scalable && (unit->gsts & VTD_GLOBAL_TE) != 0);
    assert_int_equal(unit->counts.translation_off, 1);
    assert_sound();
}

/* After an error of the queue everything is invalidated, PASID entries too. */
static void a_queue_that_stopped_forgets_pasids_as_well(void **state)
{
    struct vtd_model *unit = start(MODEL_CAP, ECAP);
    assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
    assert_true(vtd_model_dma(unit, source, 0x1000, true).allowed);
    vtd_model_counts_clear(unit);
    unit->fail_in = 2;
    unit->fail_error = VTD_FSTS_IQE;
    assert_int_equal(iommu_disconnect(function, &domain), STATUS_OK);
    assert_int_equal(unit->counts.pasid_global, 1);
    assert_int_equal(unit->counts.context_global, 1);
    assert_false(vtd_model_dma(unit, source, 0x1000, true).allowed);
    assert_sound();
}

static void reasons_have_words(void **state)
{
    static const struct {
        uint8_t reason;
        const char *says;
    } some[] = {{0x50, "directory could not be read"},
                {0x51, "no PASID directory entry"},
                {0x58, "table could not be read"},
                {0x59, "no PASID entry"},
                {0x5b, "PASID entry not valid"},
                {0x31, "RTADDR.TTM"},
                {0x87, "interrupt range"},
                {0x77, "unknown reason of scalable mode"}};
    for (size_t i = 0; i < ARRAY_SIZE(some); i++)
        assert_non_null(strstr(iommu_fault_reason(some[i].reason), some[i].says));
    struct vtd_model *unit = start(MODEL_CAP, ECAP);
    vtd_model_fault(unit, source, 0x1000, 0x59, false);
    struct iommu_fault fault;
    host_clock_advance(1000000);
    assert_true(iommu_fault_next(&fault));
    assert_int_equal(fault.reason, 0x59);
    assert_false(fault.interrupt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connecting_and_disconnecting_cost_four_descriptors_each),
        cmocka_unit_test(it_works_on_every_kind_of_unit),
        cmocka_unit_test(tables_are_flushed_where_walks_do_not_snoop),
        cmocka_unit_test(both_halves_of_a_bus),
        cmocka_unit_test(functions_of_a_domain_share_its_pasid_table),
        cmocka_unit_test(domains_do_not_see_each_other),
        cmocka_unit_test(a_function_is_blocked_whatever_its_entry_says),
        cmocka_unit_test(no_memory_is_said),
        cmocka_unit_test(the_report_reads_what_the_unit_reads),
        cmocka_unit_test(units_that_cannot_are_refused),
        cmocka_unit_test(a_unit_in_legacy_mode_is_taken_over),
        cmocka_unit_test(a_queue_that_stopped_forgets_pasids_as_well),
        cmocka_unit_test(reasons_have_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
