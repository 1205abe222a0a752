/* SPDX-License-Identifier: MIT */
// Domains and context entries: what is connected reaches its domain, and nothing else does.
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
#include <stdlib.h>

#include "hypervisor/memory/pages.h"
#include "tests/unit/model/vtd_machine.h"
#include "tests/unit/support/host.h"

#define RW (PAGE_READ | PAGE_WRITE)

static struct iommu_domain domain;
static struct pci_function *function;
static uint16_t source;

static void assert_sound(void)
{
    if (vtd_model_violations() != 0)
        fail_msg("%u violations, the last: %s", vtd_model_violations(), vtd_model_violation_text());
}

/* One unit, one function, one domain with 4 MiB of RAM at 1 GiB mapped from 0. */
static struct vtd_model *start(uint64_t cap, uint64_t ecap)
{
    struct vtd_model *unit = machine_simple(cap, ecap);
    function = machine_function(RID(0, 1, 0x10, 2), NULL);
    source = (uint16_t)function->rid;
    assert_int_equal(iommu_domain_create(&domain, OWNER_GUEST(0)), STATUS_OK);
    assert_int_equal(iommu_domain_map(&domain, 0, GIB(1), MIB(4), RW), STATUS_OK);
    return unit;
}

static void connecting_and_disconnecting_cost_three_descriptors_each(void **state)
{
    struct vtd_model *unit = start(MODEL_CAP, MODEL_ECAP);
    assert_int_equal(vtd_model_dma(unit, source, 0x1000, true).reason, 1);
    vtd_model_counts_clear(unit);
    assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
    struct vtd_model_counts expected = {
        .context_device = 1, .context_present = 1, .iotlb_domain = 1, .wait = 1};
    assert_memory_equal(&unit->counts, &expected, sizeof expected);
    assert_ptr_equal(iommu_domain_of(function->rid), &domain);

    struct vtd_model_result result = vtd_model_dma(unit, source, 0x201234, true);
    assert_true(result.allowed);
    assert_int_equal(result.physical, GIB(1) + 0x201234);
    assert_int_equal(vtd_model_dma(unit, source, MIB(4), true).reason, 5);
    assert_int_equal(vtd_model_dma(unit, source, MIB(4), false).reason, 6);
    assert_int_equal(vtd_model_dma(unit, (uint16_t)(source + 1), 0x1000, true).reason, 2);

    vtd_model_counts_clear(unit);
    assert_int_equal(iommu_disconnect(function, &domain), STATUS_OK);
    expected.context_present = 0; /* memory first, then the caches */
    assert_memory_equal(&unit->counts, &expected, sizeof expected);
    assert_null(iommu_domain_of(function->rid));
    assert_int_equal(vtd_model_dma(unit, source, 0x201234, true).reason, 2);
    assert_sound();
}

static void it_works_on_every_kind_of_unit(void **state)
{
    static const uint64_t depths[] = {2, 4, 8};
    static const uint64_t pages[] = {0, 1, 3};
    for (unsigned n = 0; n < 3 * 3 * 16; n++) {
        uint64_t cap = MODEL_CAP & ~(MODEL_CAP_SAGAW(0x1f) | BITS(37, 34) | BITS(21, 16));
        uint64_t ecap = MODEL_ECAP;
        cap |= MODEL_CAP_SAGAW(depths[n % 3]) | pages[n / 3 % 3] << 34 | UINT64_C(38) << 16;
        unsigned kind = n / 9;
        cap |= kind & 1 ? VTD_CAP_CM : 0;
        cap |= kind & 2 ? VTD_CAP_RWBF : 0;
        ecap &= ~(kind & 4 ? VTD_ECAP_C : 0);
        ecap &= ~(kind & 8 ? VTD_ECAP_QI : 0);
        struct vtd_model *unit = start(cap, ecap);
        /* Asked before, so that a unit with caching mode remembers the answer. */
        assert_false(vtd_model_dma(unit, source, 0x1000, true).allowed);
        assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
        assert_int_equal(vtd_model_dma(unit, source, 0x3ff008, true).physical, GIB(1) + 0x3ff008);
        assert_false(vtd_model_dma(unit, source, MIB(4), true).allowed);
        assert_int_equal(iommu_domain_map(&domain, MIB(4), GIB(2), 0x3000, PAGE_READ), STATUS_OK);
        assert_int_equal(vtd_model_dma(unit, source, MIB(4), false).physical, GIB(2));
        assert_int_equal(vtd_model_dma(unit, source, MIB(4), true).reason, 5);
        assert_int_equal(iommu_domain_unmap(&domain, MIB(4), 0x3000), STATUS_OK);
        assert_false(vtd_model_dma(unit, source, MIB(4), false).allowed);
        assert_int_equal(iommu_disconnect(function, &domain), STATUS_OK);
        assert_false(vtd_model_dma(unit, source, 0x1000, true).allowed);
        iommu_domain_destroy(&domain);
        assert_sound();
    }
}

/* SNP is a reserved bit to a unit without snoop control (the model says so), and one domain serves
 * every unit: it is set exactly where all usable units have it. */
static void requests_snoop_where_every_unit_can_make_them(void **state)
{
    struct vtd_model *unit = start(MODEL_CAP, MODEL_ECAP | VTD_ECAP_SC);
    assert_true(iommu_snoops());
    assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
    assert_true(vtd_model_dma(unit, source, 0x1000, true).snooped);
    assert_int_equal(iommu_domain_unmap(&domain, 0x5000, 0x1000), STATUS_OK);
    assert_true(vtd_model_dma(unit, source, 0x1000, true).snooped); /* pages that were split */

    unit = start(MODEL_CAP, MODEL_ECAP);
    assert_false(iommu_snoops());
    assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
    assert_true(vtd_model_dma(unit, source, 0x1000, true).allowed);
    assert_sound();

    machine_reset();
    unit = vtd_model_add(0xfed00000, MODEL_CAP, MODEL_ECAP | VTD_ECAP_SC);
    vtd_model_add(0xfed10000, MODEL_CAP, MODEL_ECAP);
    machine_drhd(0, false, 0xfed10000);
    machine_scope(SCOPE_ENDPOINT, 0, "1f.0");
    machine_drhd(0, true, 0xfed00000);
    assert_int_equal(machine_start(), STATUS_OK);
    assert_false(iommu_snoops());
    assert_sound();
}

static void unmapping_reaches_the_caches(void **state)
{
    struct vtd_model *unit = start(MODEL_CAP, MODEL_ECAP);
    assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
    for (uint64_t page = 0; page < 16; page++)
        assert_true(vtd_model_dma(unit, source, page * PAGE_SIZE, true).allowed);
    vtd_model_counts_clear(unit);
    assert_int_equal(iommu_domain_unmap(&domain, 0x4000, 0x4000), STATUS_OK);
    assert_int_equal(unit->counts.iotlb_page, 1);
    assert_int_equal(unit->counts.wait, 1);
    for (uint64_t page = 0; page < 16; page++)
        assert_int_equal(vtd_model_dma(unit, source, page * PAGE_SIZE, true).allowed,
                         page < 4 || page >= 8);
    /* Not a power of two, or not aligned to it: the whole domain. */
    assert_int_equal(iommu_domain_unmap(&domain, 0x8000, 0x3000), STATUS_OK);
    assert_int_equal(iommu_domain_unmap(&domain, 0xc000, 0x2000), STATUS_OK);
    assert_int_equal(iommu_domain_unmap(&domain, 0xf000, 0x2000), STATUS_OK);
    assert_int_equal(unit->counts.iotlb_domain, 2);
    assert_int_equal(unit->counts.iotlb_page, 2);
    assert_false(vtd_model_dma(unit, source, 0xa000, true).allowed);
    assert_true(vtd_model_dma(unit, source, 0xb000, true).allowed);
    assert_false(vtd_model_dma(unit, source, 0xf000, true).allowed);
    assert_sound();
}

static void without_page_selection_the_domain_is_invalidated(void **state)
{
    struct vtd_model *unit = start(MODEL_CAP & ~VTD_CAP_PSI, MODEL_ECAP);
    assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
    assert_true(vtd_model_dma(unit, source, 0x4000, true).allowed);
    vtd_model_counts_clear(unit);
    assert_int_equal(iommu_domain_unmap(&domain, 0x4000, 0x1000), STATUS_OK);
    assert_int_equal(unit->counts.iotlb_domain, 1);
    assert_int_equal(unit->counts.iotlb_page, 0);
    assert_false(vtd_model_dma(unit, source, 0x4000, true).allowed);
    assert_sound();
}

static void the_interrupt_range_is_never_mapped(void **state)
{
    start(MODEL_CAP, MODEL_ECAP);
    static const struct {
        uint64_t address, size;
        enum status status;
    } cases[] = {
        {0xfee00000, 0x1000, STATUS_DENIED},   {0xfeeff000, 0x1000, STATUS_DENIED},
        {0xfedff000, 0x2000, STATUS_DENIED},   {0xc0000000, GIB(1), STATUS_DENIED},
        {0xfeeff000, 0x2000, STATUS_DENIED},   {0xfedff000, 0x1000, STATUS_OK},
        {0xfef00000, 0x1000, STATUS_OK},       {0x800, 0x1000, STATUS_INVALID},
        {0x1000000, 0, STATUS_INVALID},        {0x1000000, 0x800, STATUS_INVALID},
        {BIT(48), 0x1000, STATUS_INVALID},     {BIT(48) - 0x1000, 0x2000, STATUS_INVALID},
        {BIT(48) - 0x1000, 0x1000, STATUS_OK}, {~UINT64_C(0xfff), 0x2000, STATUS_INVALID},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(iommu_domain_map(&domain, cases[i].address, GIB(8), cases[i].size, RW),
                         cases[i].status);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(iommu_domain_map(&domain, GIB(16), cases[i].address, cases[i].size, RW),
                         STATUS_DENIED);
    assert_int_equal(iommu_domain_map(&domain, GIB(16), GIB(8), 0x1000, RW | PAGE_DEVICE),
                     STATUS_DENIED);
    assert_int_equal(iommu_domain_map(&domain, GIB(16), GIB(8), 0x1000, PAGE_EXECUTE),
                     STATUS_INVALID);
    assert_int_equal(iommu_domain_map(&domain, 0, GIB(8), 0x1000, RW), STATUS_BUSY);
    assert_sound();
}

static void addresses_beyond_the_units_width_are_refused(void **state)
{
    struct vtd_model *unit =
        start((MODEL_CAP & ~BITS(21, 16)) | UINT64_C(35) << 16, MODEL_ECAP); /* 36 bits */
    assert_int_equal(iommu_domain_map(&domain, BIT(36), GIB(8), 0x1000, RW), STATUS_INVALID);
    assert_int_equal(iommu_domain_map(&domain, BIT(36) - 0x1000, GIB(8), 0x1000, RW), STATUS_OK);
    assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
    assert_true(vtd_model_dma(unit, source, BIT(36) - 1, false).allowed);
    assert_int_equal(vtd_model_dma(unit, source, BIT(36), false).reason, 4);
    assert_sound();
}

static void domain_ids_run_out_cleanly(void **state)
{
    struct vtd_model *unit =
        start(MODEL_CAP & ~UINT64_C(7), MODEL_ECAP); /* 16 ids, one of them 0 */
    static struct iommu_domain more[16];
    size_t pages = pages_in_use();
    for (unsigned i = 0; i < 14; i++) {
        assert_int_equal(iommu_domain_create(&more[i], OWNER_GUEST(i)), STATUS_OK);
        assert_in_range(more[i].id, 2, 15);
        for (unsigned n = 0; n < i; n++)
            assert_int_not_equal(more[n].id, more[i].id);
    }
    assert_int_equal(iommu_domain_create(&more[14], OWNER_GUEST(14)), STATUS_FULL);
    assert_int_equal(host_log_count("iommu.refused", "all domain ids are in use"), 1);
    iommu_domain_destroy(&more[14]);
    uint16_t freed = more[5].id;
    iommu_domain_destroy(&more[5]);
    assert_int_equal(iommu_domain_create(&more[5], OWNER_GUEST(5)), STATUS_OK);
    assert_int_equal(more[5].id, freed);
    for (unsigned i = 0; i < 14; i++)
        iommu_domain_destroy(&more[i]);
    assert_int_equal(pages_in_use(), pages);
    assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
    assert_true(vtd_model_dma(unit, source, 0, true).allowed);
    assert_sound();
}

static void the_smallest_unit_decides_about_ids(void **state)
{
    machine_reset();
    vtd_model_add(0xfed00000, MODEL_CAP, MODEL_ECAP);
    vtd_model_add(0xfed10000, (MODEL_CAP & ~UINT64_C(7)) | 1, MODEL_ECAP);
    machine_drhd(0, false, 0xfed00000);
    machine_drhd(0, true, 0xfed10000);
    assert_int_equal(machine_start(), STATUS_OK);
    assert_int_equal(host_log_count("iommu.enabled", "domains=63"), 1);
}

static void a_function_has_one_domain(void **state)
{
    struct vtd_model *unit = start(MODEL_CAP, MODEL_ECAP);
    struct iommu_domain other;
    assert_int_equal(iommu_domain_create(&other, OWNER_GUEST(1)), STATUS_OK);
    assert_int_equal(iommu_domain_map(&other, 0, GIB(3), MIB(4), RW), STATUS_OK);
    assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
    assert_int_equal(iommu_connect(function, &other), STATUS_BUSY);
    assert_int_equal(iommu_connect(function, &domain), STATUS_BUSY);
    assert_int_equal(iommu_disconnect(function, &other), STATUS_NOT_FOUND);
    assert_int_equal(vtd_model_dma(unit, source, 0, true).physical, GIB(1));
    iommu_domain_destroy(&domain); /* still connected: refused */
    assert_int_not_equal(domain.id, 0);
    assert_int_equal(host_log_count("iommu.domain", "is not freed"), 1);
    assert_int_equal(vtd_model_dma(unit, source, 0, true).physical, GIB(1));
    /* From one owner to the next, with everything of the first one in the caches. */
    assert_int_equal(iommu_disconnect(function, &domain), STATUS_OK);
    assert_int_equal(iommu_connect(function, &other), STATUS_OK);
    assert_int_equal(vtd_model_dma(unit, source, 0, true).physical, GIB(3));
    assert_int_equal(iommu_disconnect(function, &domain), STATUS_NOT_FOUND);
    assert_sound();
}

static void two_guests_cannot_reach_each_other(void **state)
{
    struct vtd_model *unit = start(MODEL_CAP, MODEL_ECAP);
    struct pci_function *vf = machine_vf(RID(0, 1, 0x10, 3), function);
    struct iommu_domain other;
    assert_int_equal(iommu_domain_create(&other, OWNER_GUEST(1)), STATUS_OK);
    assert_int_equal(iommu_domain_map(&other, MIB(8), GIB(3), MIB(4), RW), STATUS_OK);
    assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
    assert_int_equal(iommu_connect(vf, &other), STATUS_OK);
    assert_true(vtd_model_dma(unit, source, 0, true).allowed);
    assert_false(vtd_model_dma(unit, (uint16_t)vf->rid, 0, true).allowed);
    assert_int_equal(vtd_model_dma(unit, (uint16_t)vf->rid, MIB(8), true).physical, GIB(3));
    assert_false(vtd_model_dma(unit, source, MIB(8), true).allowed);
    struct iommu_context_report report;
    machine_context(0, (uint16_t)vf->rid, &report);
    assert_true(report.present);
    assert_int_equal(report.domain, other.id);
    assert_int_equal(report.levels, 4);
    assert_int_equal(report.table, physical_address(other.table.root));
    assert_sound();
}

static void a_domain_over_two_units_is_invalidated_in_both(void **state)
{
    machine_reset();
    struct vtd_model *a = vtd_model_add(0xfed00000, MODEL_CAP, MODEL_ECAP);
    struct vtd_model *b = vtd_model_add(0xfed10000, MODEL_CAP, MODEL_ECAP & ~VTD_ECAP_C);
    machine_drhd(0, false, 0xfed00000);
    machine_scope(SCOPE_ENDPOINT, 0, "2.0");
    machine_drhd(0, true, 0xfed10000);
    struct pci_function *first = machine_function(RID(0, 0, 2, 0), NULL);
    struct pci_function *second = machine_function(RID(0, 0, 3, 0), NULL);
    assert_int_equal(machine_start(), STATUS_OK);
    assert_int_equal(iommu_domain_create(&domain, OWNER_GUEST(0)), STATUS_OK);
    assert_int_equal(iommu_domain_map(&domain, 0, GIB(1), MIB(4), RW), STATUS_OK);
    assert_int_equal(iommu_connect(first, &domain), STATUS_OK);
    assert_int_equal(iommu_connect(second, &domain), STATUS_OK);
    assert_true(vtd_model_dma(a, 0x10, 0x1000, true).allowed);
    assert_true(vtd_model_dma(b, 0x18, 0x1000, true).allowed);
    /* Each unit knows its own functions only. */
    assert_false(vtd_model_dma(a, 0x18, 0x1000, true).allowed);
    assert_false(vtd_model_dma(b, 0x10, 0x1000, true).allowed);
    assert_int_equal(iommu_domain_unmap(&domain, 0x1000, 0x1000), STATUS_OK);
    assert_false(vtd_model_dma(a, 0x10, 0x1000, true).allowed);
    assert_false(vtd_model_dma(b, 0x18, 0x1000, true).allowed);
    assert_int_equal(iommu_disconnect(first, &domain), STATUS_OK);
    vtd_model_counts_clear(a);
    assert_int_equal(iommu_domain_unmap(&domain, 0x2000, 0x1000), STATUS_OK);
    assert_int_equal(a->counts.wait, 0);
    assert_sound();
}

static void shared_requester_ids_are_refused(void **state)
{
    start(MODEL_CAP, MODEL_ECAP);
    struct pci_function *port = machine_bridge(RID(0, 0, 0x1c, 0), NULL, 2);
    struct pci_function *to_pci = machine_bridge(RID(0, 2, 0, 0), port, 3);
    to_pci->pcie_type = 7;
    struct pci_function *conventional = machine_bridge(RID(0, 0, 0x1e, 0), NULL, 4);
    conventional->pcie_type = 0xff;
    assert_int_equal(iommu_connect(machine_function(RID(0, 3, 1, 0), to_pci), &domain),
                     STATUS_DENIED);
    assert_int_equal(iommu_connect(machine_function(RID(0, 4, 1, 0), conventional), &domain),
                     STATUS_DENIED);
    struct pci_function *reverse = machine_bridge(RID(0, 0, 0x1d, 0), NULL, 5);
    reverse->pcie_type = 8;
    struct pci_function *below = machine_bridge(RID(0, 5, 0, 0), reverse, 6);
    assert_int_equal(iommu_connect(machine_function(RID(0, 6, 0, 0), below), &domain),
                     STATUS_DENIED);
    assert_int_equal(iommu_connect(machine_function(RID(0, 2, 1, 0), port), &domain), STATUS_OK);
    assert_int_equal(host_log_count("iommu.refused", "shares its requester id"), 3);
    assert_sound();
}

static void fault_reporting_can_be_turned_off(void **state)
{
    struct vtd_model *unit = start(MODEL_CAP, MODEL_ECAP);
    iommu_fault_reporting(function, false); /* blocked, on a bus without a table */
    assert_false(vtd_model_dma(unit, source, 0, true).allowed);
    assert_int_equal(unit->frcd[0][1], 0);
    iommu_fault_reporting(function, true);
    assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
    assert_true(vtd_model_dma(unit, source, 0, true).allowed);
    iommu_fault_reporting(function, false);
    assert_false(vtd_model_dma(unit, source, GIB(5), true).allowed);
    assert_int_equal(unit->frcd[0][1], 0);
    assert_true(vtd_model_dma(unit, source, 0, true).allowed);
    iommu_fault_reporting(function, true);
    assert_false(vtd_model_dma(unit, source, GIB(5), true).allowed);
    assert_int_not_equal(unit->frcd[0][1], 0);
    assert_sound();
}

static void memory_running_out_leaves_nothing_mapped(void **state)
{
    struct vtd_model *unit = start(MODEL_CAP & ~BITS(37, 34), MODEL_ECAP);
    assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
    for (size_t pages = 0; pages < 8; pages++) {
        host_pages_limit(pages_in_use() + pages);
        enum status status = iommu_domain_map(&domain, GIB(64), GIB(2), MIB(8), RW);
        host_pages_limit(SIZE_MAX);
        if (status == STATUS_OK)
            break;
        assert_int_equal(status, STATUS_NO_MEMORY);
        for (uint64_t at = 0; at < MIB(8); at += PAGE_SIZE)
            assert_false(vtd_model_dma(unit, source, GIB(64) + at, false).allowed);
    }
    struct pci_function *elsewhere = machine_function(RID(0, 9, 0, 0), NULL);
    host_pages_limit(pages_in_use());
    assert_int_equal(iommu_connect(elsewhere, &domain), STATUS_NO_MEMORY);
    host_pages_limit(SIZE_MAX);
    assert_null(iommu_domain_of(elsewhere->rid));
    assert_int_equal(iommu_connect(elsewhere, &domain), STATUS_OK);
    assert_sound();
}

/* As many guests as there can be, with a function each: every one reaches its own memory only. */
static void sixty_four_domains(void **state)
{
    static struct iommu_domain domains[64];
    struct pci_function *each[64];
    struct vtd_model *unit = machine_simple(MODEL_CAP, MODEL_ECAP);
    for (unsigned i = 0; i < 64; i++) {
        each[i] = machine_function(RID(0, 1 + i / 32, i % 32, 0), NULL);
        assert_int_equal(iommu_domain_create(&domains[i], OWNER_GUEST(i)), STATUS_OK);
        assert_int_equal(
            iommu_domain_map(&domains[i], i * PAGE_2M, GIB(1) + i * PAGE_2M, PAGE_2M, RW),
            STATUS_OK);
        assert_int_equal(iommu_connect(each[i], &domains[i]), STATUS_OK);
    }
    for (unsigned i = 0; i < 64; i++)
        for (unsigned place = 0; place < 64; place++)
            assert_int_equal(
                vtd_model_dma(unit, (uint16_t)each[i]->rid, place * PAGE_2M, true).allowed,
                place == i);
    for (unsigned i = 0; i < 64; i++) {
        assert_int_equal(iommu_disconnect(each[i], &domains[i]), STATUS_OK);
        iommu_domain_destroy(&domains[i]);
    }
    assert_sound();
}

static void many_functions_come_and_go(void **state)
{
    struct vtd_model *unit = start(MODEL_CAP | VTD_CAP_CM, MODEL_ECAP & ~VTD_ECAP_C);
    static struct iommu_domain domains[4];
    static struct pci_function *functions[8];
    static unsigned owner[8];
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(iommu_domain_create(&domains[i], OWNER_GUEST(i)), STATUS_OK);
        assert_int_equal(iommu_domain_map(&domains[i], 0, GIB(1 + i), MIB(2), RW), STATUS_OK);
    }
    for (unsigned i = 0; i < 8; i++) {
        functions[i] = machine_function(RID(0, i / 3, i, i % 8), NULL);
        owner[i] = 4;
    }
    uint32_t random = 12345;
    for (unsigned turn = 0; turn < 3000; turn++) {
        random = random * 1664525 + 1013904223;
        unsigned n = random >> 29, to = random >> 24 & 3;
        if (owner[n] == 4) {
            assert_int_equal(iommu_connect(functions[n], &domains[to]), STATUS_OK);
            owner[n] = to;
        } else {
            assert_int_equal(iommu_disconnect(functions[n], &domains[owner[n]]), STATUS_OK);
            owner[n] = 4;
        }
        for (unsigned i = 0; i < 8; i++) {
            uint64_t address = (uint64_t)(random & 0x1f) * PAGE_SIZE;
            struct vtd_model_result result =
                vtd_model_dma(unit, (uint16_t)functions[i]->rid, address, true);
            assert_int_equal(result.allowed, owner[i] != 4);
            if (result.allowed)
                assert_int_equal(result.physical, GIB(1 + owner[i]) + address);
        }
        assert_sound();
    }
}

/* The model itself: what it is relied on to notice. */
static void the_model_notices_broken_rules(void **state)
{
    struct vtd_model *unit = start(MODEL_CAP, MODEL_ECAP);
    assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
    assert_true(vtd_model_dma(unit, source, 0, true).allowed);
    assert_sound();
    struct iommu_context_report report;
    machine_context(0, source, &report);
    uint64_t *entry =
        (uint64_t *)(uintptr_t)(report.root_entry & VTD_ROOT_ADDRESS) + 2 * (size_t)(source & 0xff);
    entry[0] = 0; /* and not invalidated */
    assert_true(vtd_model_dma(unit, source, 0, true).allowed);
    assert_int_equal(vtd_model_violations(), 1);
    entry[0] = report.context_low;
    entry[1] = 0; /* present and without a domain */
    iommu_fault_reporting(function, false);
    assert_true(vtd_model_violations() > 1);

    unit = start(MODEL_CAP, MODEL_ECAP & ~VTD_ECAP_C);
    assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
    domain.table.root[1] = 0x1003; /* never flushed */
    assert_false(vtd_model_dma(unit, source, GIB(512), true).allowed);
    assert_sound();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connecting_and_disconnecting_cost_three_descriptors_each),
        cmocka_unit_test(it_works_on_every_kind_of_unit),
        cmocka_unit_test(requests_snoop_where_every_unit_can_make_them),
        cmocka_unit_test(unmapping_reaches_the_caches),
        cmocka_unit_test(without_page_selection_the_domain_is_invalidated),
        cmocka_unit_test(the_interrupt_range_is_never_mapped),
        cmocka_unit_test(addresses_beyond_the_units_width_are_refused),
        cmocka_unit_test(domain_ids_run_out_cleanly),
        cmocka_unit_test(the_smallest_unit_decides_about_ids),
        cmocka_unit_test(a_function_has_one_domain),
        cmocka_unit_test(two_guests_cannot_reach_each_other),
        cmocka_unit_test(a_domain_over_two_units_is_invalidated_in_both),
        cmocka_unit_test(shared_requester_ids_are_refused),
        cmocka_unit_test(fault_reporting_can_be_turned_off),
        cmocka_unit_test(memory_running_out_leaves_nothing_mapped),
        cmocka_unit_test(sixty_four_domains),
        cmocka_unit_test(many_functions_come_and_go),
        cmocka_unit_test(the_model_notices_broken_rules),
    };
    return cmocka_run_group_tests_name("vtd_domains", tests, NULL, NULL);
}
