/* SPDX-License-Identifier: MIT */
// Invalidation: queue and registers, and what happens when they fail.
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
#include <stdio.h>

#include "hypervisor/iommu/vtd_queue.h"
#include "tests/unit/model/vtd_machine.h"
#include "tests/unit/support/host.h"

#define RW (PAGE_READ | PAGE_WRITE)

static struct iommu_domain domain;
static struct pci_function *function;

static void assert_sound(void)
{
    if (vtd_model_violations() != 0)
        fail_msg("%u violations, the last: %s", vtd_model_violations(), vtd_model_violation_text());
}

static struct vtd_model *start(uint64_t cap, uint64_t ecap)
{
    struct vtd_model *unit = machine_simple(cap, ecap);
    function = machine_function(RID(0, 0, 2, 0), NULL);
    assert_int_equal(iommu_domain_create(&domain, OWNER_GUEST(0)), STATUS_OK);
    assert_int_equal(iommu_domain_map(&domain, 0, GIB(1), MIB(4), RW), STATUS_OK);
    vtd_model_counts_clear(unit);
    return unit;
}

static void a_batch_has_one_wait(void **state)
{
    const struct vtd_descriptor list[] = {
        vtd_all_contexts(),
        vtd_context_of(3, 0x123),
        vtd_all_translations(),
        vtd_translations_of(3),
        vtd_translations_at(3, 0x200000, 9),
        vtd_all_interrupts(),
        vtd_interrupt_at(77),
        vtd_interrupt_at(78),
    };
    struct vtd_model *unit = start(MODEL_CAP, MODEL_ECAP);
    assert_int_equal(vtd_invalidate(&vtd.unit[0], list, ARRAY_SIZE(list)), STATUS_OK);
    const struct vtd_model_counts expected = {.context_global = 1,
                                              .context_device = 1,
                                              .iotlb_global = 1,
                                              .iotlb_domain = 1,
                                              .iotlb_page = 1,
                                              .iec_global = 1,
                                              .iec_index = 2,
                                              .wait = 1};
    assert_memory_equal(&unit->counts, &expected, sizeof expected);
    assert_int_equal(vtd_invalidate(&vtd.unit[0], list, VTD_MAX_INVALIDATIONS + 1), STATUS_INVALID);
    assert_sound();
}

static void registers_do_the_same(void **state)
{
    struct vtd_model *unit = start(MODEL_CAP, MODEL_ECAP & ~VTD_ECAP_QI);
    assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
    assert_int_equal(unit->counts.register_context, 1);
    assert_int_equal(unit->counts.register_iotlb, 1);
    assert_int_equal(FIELD(unit->ccmd, 62, 61), 3);
    assert_int_equal(FIELD(unit->ccmd, 31, 16), function->rid);
    assert_int_equal(FIELD(unit->iotlb, 61, 60), 2);
    assert_int_equal(FIELD(unit->iotlb, 47, 32), domain.id);
    assert_int_equal(unit->iotlb & (VTD_IOTLB_DR | VTD_IOTLB_DW), VTD_IOTLB_DR | VTD_IOTLB_DW);
    assert_true(vtd_model_dma(unit, 0x10, 0x3000, true).allowed);
    assert_int_equal(iommu_domain_unmap(&domain, 0x2000, 0x2000), STATUS_OK);
    assert_int_equal(FIELD(unit->iotlb, 61, 60), 3);
    assert_int_equal(unit->iva, 0x2001);
    assert_false(vtd_model_dma(unit, 0x10, 0x3000, true).allowed);
    assert_sound();
}

static void registers_that_refuse_or_hang_are_noticed(void **state)
{
    struct vtd_model *unit = start(MODEL_CAP, MODEL_ECAP & ~VTD_ECAP_QI);
    unit->refuses_commands = true;
    assert_int_equal(iommu_connect(function, &domain), STATUS_DEVICE);
    assert_int_equal(host_log_count("iommu.refused", "no longer invalidates"), 1);

    unit = start(MODEL_CAP, MODEL_ECAP & ~VTD_ECAP_QI);
    unit->commands_hang = true;
    uint64_t before = clock_microseconds();
    assert_int_equal(iommu_connect(function, &domain), STATUS_TIMEOUT);
    assert_in_range(clock_microseconds() - before, VTD_WAIT, 3 * VTD_WAIT);
    assert_false(vtd_model_dma(unit, 0x10, 0, true).allowed);
}

static void the_queue_wraps(void **state)
{
    for (unsigned coherent = 0; coherent < 2; coherent++) {
        struct vtd_model *unit = start(MODEL_CAP, MODEL_ECAP & ~(uint64_t)(coherent ^ 1));
        for (unsigned i = 0; i < 5000; i++) {
            assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
            assert_true(vtd_model_dma(unit, 0x10, 0, true).allowed);
            assert_int_equal(iommu_disconnect(function, &domain), STATUS_OK);
            assert_false(vtd_model_dma(unit, 0x10, 0, true).allowed);
        }
        assert_int_equal(unit->counts.wait, 10000);
        assert_sound();
    }
}

/* Whatever descriptor the error hits, the caller's invalidation has happened or is reported. */
static void queue_errors_are_recovered_from(void **state)
{
    static const struct {
        uint32_t error;
        const char *name;
    } errors[] = {
        {VTD_FSTS_IQE, "error=IQE"}, {VTD_FSTS_ITE, "error=ITE"}, {VTD_FSTS_ICE, "error=ICE"}};
    for (size_t e = 0; e < ARRAY_SIZE(errors); e++) {
        for (unsigned n = 1; n <= 3; n++) {
            struct vtd_model *unit = start(MODEL_CAP, MODEL_ECAP);
            assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
            assert_true(vtd_model_dma(unit, 0x10, 0, true).allowed);
            vtd_model_counts_clear(unit);
            unit->fail_in = n;
            unit->fail_error = errors[e].error;
            assert_int_equal(iommu_disconnect(function, &domain), STATUS_OK);
            assert_false(vtd_model_dma(unit, 0x10, 0, true).allowed);
            assert_int_equal(host_log_count("iommu.queue", errors[e].name), 1);
            assert_int_equal(unit->counts.context_global, 1);
            assert_int_equal(unit->counts.iotlb_global, 1);
            assert_int_equal(unit->counts.iec_global, 1);
            assert_int_equal(unit->fsts & ~0xff00u, 0);
            /* And life goes on. */
            for (unsigned i = 0; i < 300; i++) {
                assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
                assert_int_equal(iommu_disconnect(function, &domain), STATUS_OK);
            }
            assert_sound();
        }
    }
}

static void the_failing_descriptor_is_named(void **state)
{
    struct vtd_model *unit = start(MODEL_CAP, MODEL_ECAP);
    unit->fail_in = 2;
    unit->fail_error = VTD_FSTS_IQE;
    uint64_t index = unit->iqt / 16 + 1;
    assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
    char expected[128];
    snprintf(expected, sizeof expected, "index=%u low=%#llx high=0", (unsigned)index,
             0xe2ull | (unsigned long long)domain.id << 16);
    assert_int_equal(host_log_count("iommu.queue", expected), 1);
    assert_sound();
}

static void a_queue_that_always_fails_puts_the_unit_aside(void **state)
{
    static const uint32_t errors[] = {VTD_FSTS_IQE, VTD_FSTS_ITE, VTD_FSTS_ICE};
    for (size_t e = 0; e < ARRAY_SIZE(errors); e++) {
        struct vtd_model *unit = start(MODEL_CAP, MODEL_ECAP);
        struct pci_function *second = machine_function(RID(0, 0, 3, 0), NULL);
        assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
        unit->fail_in = 1;
        unit->fail_again = true;
        unit->fail_error = errors[e];
        assert_int_not_equal(iommu_disconnect(function, &domain), STATUS_OK);
        assert_int_equal(host_log_count("iommu.refused", "no longer invalidates"), 1);
        /* Its memory may still be reached: it stays the domain's. */
        assert_ptr_equal(iommu_domain_of(function->rid), &domain);
        assert_int_equal(domain.functions, 1);
        iommu_domain_destroy(&domain);
        assert_int_not_equal(domain.id, 0);
        assert_int_equal(iommu_connect(second, &domain), STATUS_UNSUPPORTED);
        struct iommu_unit_report report;
        assert_true(iommu_unit_report(0, &report));
        assert_false(report.usable);
    }
}

static void a_silent_queue_is_given_up_in_time(void **state)
{
    struct vtd_model *unit = start(MODEL_CAP, MODEL_ECAP);
    unit->queue_silent = true;
    uint64_t before = clock_microseconds();
    assert_int_equal(iommu_connect(function, &domain), STATUS_TIMEOUT);
    assert_in_range(clock_microseconds() - before, VTD_WAIT, 4 * VTD_WAIT);
    assert_int_equal(host_log_count("iommu.queue", "it is restarted"), 1);
    struct iommu_context_report report;
    machine_context(0, 0x10, &report);
    assert_false(report.present);
    before = clock_microseconds();
    assert_int_not_equal(iommu_disconnect(function, &domain), STATUS_OK);
    assert_in_range(clock_microseconds() - before, 0, 1000); /* not waited for again */
}

static void a_restarted_queue_works(void **state)
{
    struct vtd_model *unit = start(MODEL_CAP, MODEL_ECAP);
    assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
    assert_true(vtd_model_dma(unit, 0x10, 0, true).allowed);
    /* The wait itself is what the unit chokes on. */
    unit->fail_in = 3;
    unit->fail_error = VTD_FSTS_IQE;
    assert_int_equal(iommu_disconnect(function, &domain), STATUS_OK);
    assert_int_equal(host_log_count("iommu.queue", "it is restarted"), 1);
    assert_false(vtd_model_dma(unit, 0x10, 0, true).allowed);
    assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
    assert_true(vtd_model_dma(unit, 0x10, 0, true).allowed);
    assert_sound();
}

static void the_write_buffer_is_flushed_first(void **state)
{
    struct vtd_model *unit = start(MODEL_CAP | VTD_CAP_RWBF, MODEL_ECAP);
    assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
    assert_int_equal(unit->counts.write_buffer, 1);
    unit->stuck = VTD_GLOBAL_WBF;
    assert_int_equal(iommu_disconnect(function, &domain), STATUS_TIMEOUT);
    assert_int_equal(host_log_count("iommu.refused", "no longer invalidates"), 1);
}

/* Removing any one invalidation must be noticed: here the model loses it instead of the code. */
static void a_lost_invalidation_is_visible(void **state)
{
    struct vtd_model *unit = start(MODEL_CAP, MODEL_ECAP);
    assert_int_equal(iommu_connect(function, &domain), STATUS_OK);
    assert_true(vtd_model_dma(unit, 0x10, 0, true).allowed);
    unit->queue_silent = true;
    assert_int_not_equal(iommu_disconnect(function, &domain), STATUS_OK);
    assert_true(vtd_model_dma(unit, 0x10, 0, true).allowed);
    assert_int_equal(vtd_model_violations(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_has_one_wait),
        cmocka_unit_test(registers_do_the_same),
        cmocka_unit_test(registers_that_refuse_or_hang_are_noticed),
        cmocka_unit_test(the_queue_wraps),
        cmocka_unit_test(queue_errors_are_recovered_from),
        cmocka_unit_test(the_failing_descriptor_is_named),
        cmocka_unit_test(a_queue_that_always_fails_puts_the_unit_aside),
        cmocka_unit_test(a_silent_queue_is_given_up_in_time),
        cmocka_unit_test(a_restarted_queue_works),
        cmocka_unit_test(the_write_buffer_is_flushed_first),
        cmocka_unit_test(a_lost_invalidation_is_visible),
    };
    return cmocka_run_group_tests_name("vtd_queue", tests, NULL, NULL);
}
