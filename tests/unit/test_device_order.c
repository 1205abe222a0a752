/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/assign/assignment.c hypervisor/memory/frames.c hypervisor/memory/page_table.c
// SOURCES: hypervisor/pci/life.c hypervisor/assign/assignment_check.c
// SOURCES: hypervisor/memory/formats.c hypervisor/base/format.c hypervisor/base/status.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
// SOURCES: hypervisor/base/string.c hypervisor/base/text.c
// SOURCES: hypervisor/setup/frames.c
/* A device's way through its guest's life, in the order of invariant I6. */
#include "tests/unit/support/device_fixture.h"

static void assign_vf(void)
{
    function.is_vf = true;
    function.vf_index = 5;
    function.life = PCI_CLEAN;
    assert_int_equal(assign(0), STATUS_OK);
    trace[0] = '\0';
}

static void detach(void)
{
    assignment_quiesce(&device);
    while (!assignment_quiet(&device))
        host_clock_advance(1000);
}

static void test_order_of_giving_and_taking(void **state)
{
    assign_vf();
    for (unsigned round = 0; round < 3; round++) {
        assert_int_equal(assignment_connect(&device), STATUS_OK);
        expect_trace("vf reset, config, msix off, attach, faults on, decode");
        assert_int_equal(function.life, PCI_USED);
        assert_int_equal(assignment_connect(&device), STATUS_OK); /* nothing more */
        expect_trace("");
        master = true;
        const uint64_t start = clock_microseconds();
        assignment_quiesce(&device);
        expect_trace("master off, msix off, reset start");
        assert_false(assignment_quiet(&device));
        assignment_quiesce(&device);
        expect_trace("");
        while (!assignment_quiet(&device))
            host_clock_advance(1000);
        assert_true(clock_microseconds() - start >= MILLISECONDS(100));
        assert_true(assignment_quiet(&device)); /* looked at again, asked once */
        assert_int_equal(assignment_disconnect(&device), STATUS_OK);
        expect_trace("reset finish, detach, vf reset");
        assert_int_equal(function.life, PCI_CLEAN);
        assert_int_equal(function.owner, OWNER_GUEST(0));
        assert_int_equal(assignment_disconnect(&device), STATUS_OK);
        expect_trace("");
    }
    assignment_unclaim(&device);
    expect_nothing_left();
}

static void test_a_device_that_is_not_attached_is_left_alone(void **state)
{
    assign_vf();
    assignment_quiesce(&device);
    assert_true(assignment_quiet(&device));
    assert_int_equal(assignment_disconnect(&device), STATUS_OK);
    expect_trace("");
    assignment_unclaim(&device);
}

static void test_attach_fails(void **state)
{
    assign_vf();
    failing = "attach";
    assert_int_equal(assignment_connect(&device), STATUS_DEVICE);
    assert_int_equal(host_log_count("device.refused", "context entry"), 1);
    assert_false(pci_connected(&function));
    expect_trace("vf reset, config, msix off, attach");
    assignment_unclaim(&device);
    expect_nothing_left();
}

/* The unit may have cached the entry: nobody gets the function, nor the guest's memory. */
static void test_an_attachment_that_stays_on_record(void **state)
{
    assign_vf();
    failing = "attach";
    on_record = &guests[0].domain;
    assert_int_equal(assignment_connect(&device), STATUS_DEVICE);
    assert_int_equal(function.life, PCI_UNCONFIRMED);
    assert_int_equal(function.owner, OWNER_HYPERVISOR);
    assert_int_equal(frames_owner(BAR0), OWNER_MMIO);
    assert_int_equal(host_log_count("device.attach_failed", "guest=alpha rid=01:00.0"), 1);
    assignment_unclaim(&device);
}

/* Its PF's driver comes before the context entry: what it cannot prepare is not attached. */
static void test_a_vf_that_its_driver_cannot_prepare(void **state)
{
    assign_vf();
    failing = "vf reset";
    assert_int_equal(assignment_connect(&device), STATUS_DEVICE);
    expect_trace("vf reset");
    failing = NULL;
    lost_by_reset = true;
    assert_int_equal(assignment_connect(&device), STATUS_DENIED);
    expect_trace("vf reset");
    assert_int_equal(function.life, PCI_CLEAN);
    assert_int_equal(host_log_count("device.refused", "guest=alpha"), 2);
    lost_by_reset = false;
    assert_int_equal(assignment_connect(&device), STATUS_OK);
    function.life = PCI_CLEAN;
    assignment_unclaim(&device);
    expect_nothing_left();
}

/* All but that somebody has it is known before a move begins. */
static void test_a_move_is_checked_beforehand(void **state)
{
    assert_int_equal(assign(0), STATUS_OK);
    assert_int_equal(assignment_check(&guests[1], &function, false), STATUS_BUSY);
    assert_int_equal(assignment_check(&guests[1], &function, true), STATUS_OK);
    remaps = false;
    assert_int_equal(assignment_check(&guests[1], &function, true), STATUS_DENIED);
    guests[1].unsafe_interrupts = true;
    assert_int_equal(assignment_check(&guests[1], &function, true), STATUS_OK);
    configs[1].flash_count = 0;
    assert_int_equal(assignment_check(&guests[1], &function, true), STATUS_DENIED);
    configs[1].flash_count = 1;
    region_count = 1;
    assert_int_equal(assignment_check(&guests[1], &function, true), STATUS_DENIED);
    region_count = 0;
    assignment_unclaim(&device);
    expect_nothing_left();
}

/* Reset or invalidation fails: the rest is done all the same, and nobody gets it again. */
static void test_a_device_that_does_not_let_go(void **state)
{
    static const struct {
        const char *name, *event;
        enum pci_life life;
        const char *trace;
    } cases[] = {
        {"reset start", "device.reset_failed", PCI_UNUSABLE,
         "detach, vf reset, master off, faults off"},
        {"reset finish", "device.reset_failed", PCI_UNUSABLE,
         "detach, vf reset, master off, faults off"},
        {"detach", "device.detach_failed", PCI_UNCONFIRMED,
         "detach, vf reset, master off, faults off"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        if (i != 0)
            fresh(state);
        assign_vf();
        assert_int_equal(assignment_connect(&device), STATUS_OK);
        failing = cases[i].name;
        failure = STATUS_TIMEOUT;
        host_log_clear();
        detach();
        trace[0] = '\0';
        assert_int_equal(assignment_disconnect(&device), STATUS_TIMEOUT);
        expect_trace(cases[i].trace);
        assert_int_equal(host_log_count(cases[i].event, "status=timeout"), 1);
        assert_int_equal(function.life, cases[i].life);
        assert_int_equal(function.owner, OWNER_HYPERVISOR);
        /* Its registers are out of reach, also for the guest that had it. */
        struct page_walk walk;
        page_table_walk(&guests[0].memory, GUEST_BAR_BASE, &walk);
        assert_false(walk.present);
        assert_int_equal(frames_owner(BAR0), OWNER_MMIO);
        assert_true(guests[0].bar_windows[0].pulled_end > GUEST_BAR_BASE);
        failing = NULL;
        assert_int_equal(assignment_connect(&device), STATUS_DENIED);
        expect_trace("");
        assignment_unclaim(&device);
        struct assignment other = {0};
        assert_int_equal(assignment_claim(&guests[1], &other, &function, &pf, 1, next_bar),
                         STATUS_DENIED);
        assert_int_equal(function.owner, OWNER_HYPERVISOR);
        done(state);
    }
    fresh(state);
}

/* A context entry may be present: freeing the function would leave it without an owner. */
static void test_an_attached_device_is_not_freed(void **state)
{
    assign_vf();
    assert_int_equal(assignment_connect(&device), STATUS_OK);
    assert_int_equal(assignment_unmap(&device), STATUS_OK);
    assignment_unclaim(&device);
    assert_int_equal(function.owner, OWNER_HYPERVISOR);
    assert_int_equal(function.life, PCI_UNCONFIRMED);
}

/* Whatever brought it here, a function that is not known to be clean does not reach a guest. */
static void test_only_what_is_clean_is_attached(void **state)
{
    static const enum pci_life lives[] = {PCI_MISPLACED, PCI_RESETTING,   PCI_LOST,
                                          PCI_UNUSABLE,  PCI_UNCONFIRMED, PCI_QUARANTINED};
    assign_vf();
    for (size_t i = 0; i < ARRAY_SIZE(lives); i++) {
        function.life = lives[i];
        assert_int_equal(assignment_connect(&device), STATUS_DENIED);
        expect_trace("");
    }
    static struct pci_function unusable_pf = {.life = PCI_UNUSABLE};
    function.life = PCI_CLEAN;
    function.pf = &unusable_pf;
    assert_int_equal(assignment_connect(&device), STATUS_DENIED);
    function.pf = NULL;
    assignment_unclaim(&device);
}

/* A neighbour's bus reset has left it with other registers than it had. */
static void test_what_is_not_known_is_reset_again(void **state)
{
    assign_vf();
    function.life = PCI_UNKNOWN;
    failing = "whole reset";
    failure = STATUS_UNSUPPORTED; /* for now */
    assert_int_equal(assignment_connect(&device), STATUS_UNSUPPORTED);
    assert_int_equal(function.life, PCI_UNKNOWN);
    failing = NULL;
    trace[0] = '\0';
    assert_int_equal(assignment_connect(&device), STATUS_OK);
    expect_trace("whole reset, vf reset, config, msix off, attach, faults on, decode");
    assert_int_equal(function.life, PCI_USED);
    assignment_unclaim(&device);
}

static void test_disable(void **state)
{
    assign_vf();
    assert_int_equal(assignment_connect(&device), STATUS_OK);
    trace[0] = '\0';
    device.command = PCI_COMMAND_MEMORY | PCI_COMMAND_BUS_MASTER;
    assignment_silence(&device);
    expect_trace("master off, faults off");
    assert_int_equal(function.life, PCI_SILENCED);
    assert_true(pci_connected(&function) && pci_in_use(&function));
    assert_int_equal(device.command, PCI_COMMAND_MEMORY);
    assignment_unclaim(&device);
}

/* The table has no such step: the function is kept back, and an entry that may be there is not
 * forgotten. */
static void test_a_step_out_of_order(void **state)
{
    static const struct {
        enum pci_life from, to, result;
    } steps[] = {
        {PCI_USED, PCI_CLEAN, PCI_UNCONFIRMED},     {PCI_SILENCED, PCI_USED, PCI_UNCONFIRMED},
        {PCI_RESETTING, PCI_USED, PCI_UNCONFIRMED}, {PCI_UNCONFIRMED, PCI_CLEAN, PCI_UNCONFIRMED},
        {PCI_UNKNOWN, PCI_USED, PCI_UNUSABLE},      {PCI_MISPLACED, PCI_CLEAN, PCI_UNUSABLE},
        {PCI_LOST, PCI_CLEAN, PCI_UNUSABLE},        {PCI_QUARANTINED, PCI_CLEAN, PCI_UNUSABLE},
        {PCI_UNUSABLE, PCI_CLEAN, PCI_UNUSABLE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        function.owner = OWNER_GUEST(0);
        function.life = steps[i].from;
        assert_false(pci_life_set(&function, steps[i].to));
        assert_int_equal(function.life, steps[i].result);
        assert_int_equal(function.owner, OWNER_HYPERVISOR);
        assert_true(pci_kept_back(&function));
    }
    assert_int_equal(host_log_count("pci.life_refused", "rid=01:00.0 from="), ARRAY_SIZE(steps));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)
    const struct CMUnitTest tests[] = {
        TEST(test_order_of_giving_and_taking),
        TEST(test_a_device_that_is_not_attached_is_left_alone),
        TEST(test_attach_fails),
        TEST(test_an_attachment_that_stays_on_record),
        TEST(test_a_vf_that_its_driver_cannot_prepare),
        TEST(test_a_move_is_checked_beforehand),
        TEST(test_what_is_not_known_is_reset_again),
        TEST(test_a_device_that_does_not_let_go),
        TEST(test_an_attached_device_is_not_freed),
        TEST(test_only_what_is_clean_is_attached),
        TEST(test_a_step_out_of_order),
        TEST(test_disable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
