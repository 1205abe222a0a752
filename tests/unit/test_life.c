/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/guest/lifecycle.c hypervisor/guest/cores.c hypervisor/guest/hold.c
// SOURCES: hypervisor/setup/pci_roots.c
// SOURCES: hypervisor/assign/guest.c hypervisor/guest/move.c hypervisor/assign/assignment.c
// SOURCES: hypervisor/assign/assignment_check.c hypervisor/guest/pf_lost.c hypervisor/pci/reset.c
// SOURCES: hypervisor/pci/saved.c hypervisor/pci/life.c hypervisor/setup/pci_sriov.c
// SOURCES: hypervisor/setup/pci_sriov_ids.c hypervisor/setup/pci_enumerate.c
// SOURCES: hypervisor/pci/functions.c hypervisor/setup/pci_functions.c
// SOURCES: hypervisor/setup/pci_capabilities.c hypervisor/pci/bars.c hypervisor/setup/pci_bars.c
// SOURCES: hypervisor/setup/pci_ram.c hypervisor/setup/pci_placement.c
// SOURCES: hypervisor/setup/pci_bridge_window.c hypervisor/pci/acs.c hypervisor/setup/pci_acs.c
// SOURCES: hypervisor/pci/msix.c hypervisor/memory/frames.c hypervisor/memory/page_table.c
// SOURCES: hypervisor/memory/formats.c hypervisor/base/format.c hypervisor/base/status.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
// SOURCES: hypervisor/base/string.c hypervisor/base/text.c tests/unit/model/pci_model.c
// SOURCES: tests/unit/model/pci_routing.c
// SOURCES: hypervisor/setup/frames.c
// SOURCES: hypervisor/pci/sriov.c
// SOURCES: hypervisor/setup/pci_known.c
/* A function's whole life, from VF Enable to a reset that fails, with nothing mocked between the
 * commands and configuration space. */
#include "tests/unit/support/life_fixture.h"

static void until_settled(void)
{
    for (unsigned i = 0; i < 10000; i++) {
        bool busy = false;
        for (unsigned g = 0; g < GUESTS; g++)
            busy = busy || guests[g].state == GUEST_STOPPING || guest_moving(&guests[g]);
        if (!busy)
            return;
        turn();
    }
    fail_msg("not settled:\n%s", host_log_text());
}

static void run(unsigned guest)
{
    assert_int_equal(guest_start(&guests[guest]), STATUS_OK);
    turn();
}

static void stop(unsigned guest)
{
    assert_int_equal(guest_stop(&guests[guest], "test"), STATUS_OK);
    until_settled();
}

static void from_guest_to_guest(void **state)
{
    struct assignment *device = give(0, 0);
    assert_int_equal(vf_model(0)->resets, 0); /* VF Enable has just made it */
    run(0);
    run(1);
    sound();
    assert_int_equal(guest_move(device, &guests[1]), STATUS_OK);
    until_settled();
    sound();
    assert_int_equal(host_log_count("device.moved", "from=alpha to=beta"), 1);
    assert_int_equal(vf_model(0)->resets, 1);
    assert_true(context_of(vf(0)->rid) >= 0);
    stop(1);
    assert_int_equal(vf_model(0)->resets, 2);
    sound();
    assert_int_equal(guest_move(device, &guests[2]), STATUS_OK); /* nobody used it since */
    until_settled();
    assert_int_equal(vf_model(0)->resets, 2);
    sound();
}

/* Nobody's again: not by a move, a start, a restart or a new assignment. */
static void expect_nobodys(unsigned guest)
{
    uint64_t next_bar[GUEST_BAR_WINDOWS] = {GUEST_BAR_BASE, GUEST_HIGH_BASE};
    struct assignment other = {0};
    assert_int_equal(vf(0)->life, PCI_UNUSABLE);
    assert_int_equal(vf(0)->owner, OWNER_HYPERVISOR);
    assert_int_equal(context_of(vf(0)->rid), -1);
    if (guests[guest].assignment_count != 0) {
        assert_int_equal(guest_move(guests[guest].assignments[0], &guests[2]), STATUS_DENIED);
        assert_int_equal(guest_start(&guests[guest]), STATUS_DENIED);
        until_settled();
        assert_int_equal(guest_restart(&guests[guest]), STATUS_DENIED);
        until_settled();
    }
    assert_int_equal(assignment_claim(&guests[2], &other, vf(0), &pf, 1, next_bar), STATUS_DENIED);
    sound();
    /* The others are not concerned. */
    (void)give(1, 2);
    run(2);
    sound();
}

static void a_failed_reset_sticks_after_an_end(void **state)
{
    (void)give(0, 0);
    run(0);
    vf_model(0)->pending_stuck = true;
    stop(0);
    assert_int_equal(guests[0].state, GUEST_STOPPED);
    assert_int_equal(host_log_count("device.reset_failed", "guest=alpha"), 1);
    vf_model(0)->pending_stuck = false; /* it would pass now */
    expect_nobodys(0);
}

static void a_failed_reset_sticks_after_a_move(void **state)
{
    struct assignment *device = give(0, 0);
    run(0);
    run(1);
    vf_model(0)->ignored_resets = 1;
    pci_command_set(vf(0), PCI_COMMAND_BUS_MASTER, 0);
    model_writable(vf_model(0), PCI_COMMAND, 2, 0x0406); /* QEMU's VFs have them */
    pci_command_set(vf(0), PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_OFF, 0);
    assert_int_equal(guest_move(device, &guests[1]), STATUS_OK);
    until_settled();
    assert_int_equal(host_log_count("device.move_failed", "no guest has it until a reboot"), 1);
    assert_int_equal(host_log_count("device.moved", NULL), 0);
    assert_int_equal(guests[0].assignment_count + guests[1].assignment_count, 0);
    assert_int_equal(guests[0].state, GUEST_RUNNING); /* it has lost its device, and goes on */
    assert_int_equal(guests[0].holds, 0);
    assert_true(guests[0].bar_windows[0].pulled_end > GUEST_BAR_BASE);
    expect_nobodys(0);
}

static void a_device_that_is_not_let_go_stays(void **state)
{
    struct assignment *device = give(0, 0);
    run(0);
    detach_status = STATUS_TIMEOUT;
    assert_int_equal(guest_move(device, &guests[1]), STATUS_OK);
    until_settled();
    assert_int_equal(host_log_count("device.move_failed", "could not be taken"), 1);
    assert_int_equal(guests[0].assignment_count, 1);
    assert_int_equal(vf(0)->life, PCI_UNCONFIRMED);
    stop(0);
    assert_int_equal(guests[0].state, GUEST_LOST); /* its memory may still be reached */
}

/* Its VFs are nobody's again, whatever their guests are doing: running, stopping, stopped, and one
 * in the middle of a move. */
static void a_lost_pf_leaves_nothing_usable(void **state)
{
    for (unsigned moving = 0; moving < 2; moving++) {
        if (moving != 0) {
            assert_int_equal(done(NULL), 0);
            fresh(NULL);
        }
        struct assignment *device = give(0, 0);
        (void)give(1, 1);
        (void)give(2, 2);
        run(0);
        run(1);
        assert_int_equal(guest_stop(&guests[1], "test"), STATUS_OK);
        if (moving != 0)
            assert_int_equal(guest_move(device, &guests[2]), STATUS_OK);
        pf_lose(&pf);
        if (moving == 0) /* also before the control loop hears of it */
            assert_int_equal(guest_move(device, &guests[2]), STATUS_DENIED);
        until_settled();
        turn();
        assert_int_equal(guests[0].state, GUEST_RUNNING); /* without it */
        assert_int_equal(guests[1].state, GUEST_STOPPED);
        assert_int_equal(host_log_count("device.blocked", "status=ok"), 3);
        assert_int_equal(host_log_count("guest.stop_failed", NULL), 0);
        assert_int_equal(host_log_count("device.assigned", NULL), 3);
        for (unsigned n = 0; n < 3; n++) {
            assert_int_equal(vf(n)->life, PCI_UNUSABLE);
            assert_int_equal(context_of(vf(n)->rid), -1);
        }
        assert_true(pci_unusable(vf(7))); /* nobody's before */
        sound();
        assert_int_equal(guests[0].assignment_count, 1 - moving);
        stop(0);
        assert_int_equal(guests[0].state, GUEST_STOPPED);
        assert_int_equal(vf(0)->life, PCI_UNUSABLE);
        assert_int_equal(guest_start(&guests[2]), STATUS_DENIED);
        until_settled();
    }
}

/* `move vf0 alpha gamma` and `start alpha`, before the control loop comes round. */
static void a_start_during_a_move(void **state)
{
    struct assignment *device = give(0, 0);
    assert_int_equal(guest_move(device, &guests[2]), STATUS_OK);
    assert_int_equal(guest_start(&guests[0]), STATUS_BUSY);
    assert_int_equal(guest_start(&guests[2]), STATUS_BUSY);
    assert_int_equal(guest_restart(&guests[0]), STATUS_BUSY);
    assert_int_equal(guest_move(device, &guests[1]), STATUS_BUSY);
    assert_int_equal(guest_start(&guests[1]), STATUS_OK); /* not concerned */
    until_settled();
    sound();
    assert_int_equal(host_log_count("device.moved", "to=gamma"), 1);
    run(0);
    run(2);
    sound();
    assert_true(context_of(vf(0)->rid) >= 0);
    stop(2);
    assert_int_equal(context_of(vf(0)->rid), -1);
    sound();
}

/* Its guest ends, is to start again at once, and its device is on the way to somebody else. */
static void a_restart_during_a_move(void **state)
{
    struct assignment *device = give(0, 0);
    run(0);
    assert_int_equal(guest_move(device, &guests[1]), STATUS_OK);
    assert_int_equal(guest_restart(&guests[0]), STATUS_OK);
    for (unsigned i = 0; i < 300; i++) {
        turn();
        sound();
    }
    assert_int_equal(guests[0].state, GUEST_RUNNING);
    assert_int_equal(guests[0].assignment_count, 0);
    assert_int_equal(guests[1].assignment_count, 1);
    assert_int_equal(vf_model(0)->resets, 1);
}

/* A guest that ends meanwhile gets its device all the same, once it has ended. */
static void a_receiver_that_ends(void **state)
{
    struct assignment *device = give(0, 0);
    run(1);
    assert_int_equal(guest_move(device, &guests[1]), STATUS_OK);
    assert_int_equal(guest_stop(&guests[1], "test"), STATUS_OK);
    cores_busy = true;
    for (unsigned i = 0; i < 300; i++) {
        turn();
        sound();
    }
    assert_int_equal(guests[1].state, GUEST_STOPPING);
    cores_busy = false;
    until_settled();
    assert_int_equal(guests[1].state, GUEST_STOPPED);
    assert_int_equal(guests[1].assignment_count, 1);
    assert_int_equal(host_log_count("device.moved", "to=beta"), 1);
    assert_int_equal(host_log_count("device.move_failed", NULL), 0);
}

/* Commands in any order, a turn of the loop now and then: it is sound after each. */
static void any_order_of_commands(void **state)
{
    uint32_t seed = 1;
    for (unsigned n = 0; n < 3; n++)
        (void)give(n, n);
    unsigned moves = 0, starts = 0;
    for (unsigned step = 0; step < 4000; step++) {
        seed = seed * 1664525 + 1013904223;
        struct guest *guest = &guests[(seed >> 8) % GUESTS];
        struct guest *to = &guests[(seed >> 12) % GUESTS];
        switch (seed >> 28) {
        case 0:
        case 1:
            starts += guest_start(guest) == STATUS_OK;
            break;
        case 2:
            (void)!guest_stop(guest, "test");
            break;
        case 3:
            (void)!guest_restart(guest);
            break;
        case 4:
            (void)!guest_pause(guest);
            break;
        case 5:
            (void)!guest_resume(guest);
            break;
        case 6:
        case 7:
            if (guest->assignment_count != 0 && guest != to)
                moves += guest_move(guest->assignments[0], to) == STATUS_OK;
            break;
        case 8:
            host_clock_advance(100000);
            break;
        default:
            turn();
            break;
        }
        sound();
    }
    until_settled();
    assert_true(moves > 50 && starts > 50);
    assert_int_equal(host_log_count("pci.life_refused", NULL), 0);
    assert_int_equal(host_log_count("device.move_failed", "could not be taken"), 0);
}

/* Eight devices whose requests are pending for 2 s each: all are waited for at once, and calls and
 * mailboxes are served meanwhile. */
static void slow_devices_hold_nobody_up(void **state)
{
    for (unsigned n = 0; n < VFS; n++)
        (void)give(n, 0);
    run(0);
    run(1);
    uint64_t before = clock_microseconds();
    for (unsigned n = 0; n < VFS; n++)
        vf_model(n)->pending_until = before + MILLISECONDS(2000);
    assert_int_equal(guest_stop(&guests[0], "test"), STATUS_OK);
    served_at = clock_microseconds();
    longest_gap = mailbox_looks = 0;
    until_settled();
    uint64_t seconds = clock_microseconds() - before;
    printf("eight devices taken back in %llu us; longest gap %llu us, %u looks at the mailboxes\n",
           (unsigned long long)seconds, (unsigned long long)longest_gap, mailbox_looks);
    assert_int_equal(guests[0].state, GUEST_STOPPED);
    assert_in_range(longest_gap, 1, MILLISECONDS(5));
    assert_true(seconds < MILLISECONDS(2500) && mailbox_looks > 1000);
    for (unsigned n = 0; n < VFS; n++) {
        assert_int_equal(vf_model(n)->resets, 1);
        assert_true(vf_model(n)->resetting_until >=
                    before + MILLISECONDS(1099)); /* drained first */
        assert_int_equal(vf(n)->life, PCI_CLEAN);
    }
    sound();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)
    const struct CMUnitTest tests[] = {
        TEST(from_guest_to_guest),
        TEST(a_failed_reset_sticks_after_an_end),
        TEST(a_failed_reset_sticks_after_a_move),
        TEST(a_device_that_is_not_let_go_stays),
        TEST(a_lost_pf_leaves_nothing_usable),
        TEST(a_start_during_a_move),
        TEST(a_restart_during_a_move),
        TEST(a_receiver_that_ends),
        TEST(any_order_of_commands),
        TEST(slow_devices_hold_nobody_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
