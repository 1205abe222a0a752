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
// SOURCES: hypervisor/memory/formats.c hypervisor/memory/format_ept.c hypervisor/base/format.c
// SOURCES: hypervisor/base/status.c hypervisor/base/string.c hypervisor/base/text.c
// SOURCES: tests/unit/model/pci_model.c
// SOURCES: tests/unit/model/pci_routing.c hypervisor/setup/frames.c hypervisor/pci/sriov.c
// SOURCES: drivers/none/none.c
// SOURCES: hypervisor/setup/pci_known.c
/* A card whose PF a guest drives: alpha has it, beta and gamma have VFs. What becomes of them when
 * alpha ends, with nothing mocked between the commands and configuration space. */
#include "drivers/none/none.h"
#include "hypervisor/pci/config_access.h"
#include "tests/unit/support/life_fixture.h"

#define SRIOV 0x160

static struct assignment *card;

static int owned(void **state)
{
    assert_int_equal(fresh(state), 0);
    pf.driver = &none_pf_driver;
    pf.vfs = VFS;
    pf.manager = OWNER_GUEST(0);
    pf.ends_with_manager = true;
    /* As setup/pfs.c leaves it. */
    pf.function->owner = OWNER_NOBODY;
    pf.function->life = PCI_CLEAN;
    configs[0].flash_count = 1;
    card = pages_allocate(1);
    assert_int_equal(assignment_add(&guests[0], card, pf.function, NULL), STATUS_OK);
    (void)give(0, 1);
    (void)give(1, 2);
    return 0;
}

static void start(unsigned guest)
{
    assert_int_equal(guest_start(&guests[guest]), STATUS_OK);
    turn();
}

static void turns(unsigned milliseconds)
{
    for (unsigned i = 0; i < milliseconds; i++)
        turn();
}

static void end(unsigned guest)
{
    assert_int_equal(guest_stop(&guests[guest], "test"), STATUS_OK);
    turns(2000);
    assert_int_equal(guests[guest].state, GUEST_STOPPED);
}

static bool vf_works(unsigned n)
{
    const struct assignment *assignment = guests[n + 1].assignments[0];
    return context_of(vf(n)->rid) >= 0 && vf(n)->life == PCI_USED &&
           pci_config_read(vf(n)->rid, PCI_COMMAND, 2) != 0xffff &&
           assignment->bars[0].host_base == vf(n)->bar[0].base;
}

/* As it was enabled at boot. */
static void expect_vfs_enabled(void)
{
    assert_int_equal(model_get(pf_model, SRIOV + 8, 2) & 0x19, 0x19);
    assert_int_equal(model_get(pf_model, SRIOV + 0x10, 2), VFS);
    assert_true(pci_sriov_holds(pf.function));
    for (unsigned n = 0; n < VFS; n++) {
        assert_non_null(vf_model(n));
        assert_true(acs_is_on(vf(n)));
        assert_int_equal(model_get(vf_model(n), PCI_COMMAND, 2) & PCI_COMMAND_BUS_MASTER, 0);
    }
    assert_string_equal(model_last_violation(), "");
}

static void start_all(void)
{
    for (unsigned guest = 0; guest < GUESTS; guest++)
        start(guest);
    assert_true(vf_works(0) && vf_works(1));
    assert_int_equal(pf.function->life, PCI_USED);
    sound();
}

/* owner_lost = reset: first the guests, then their VFs, then the card; all of it once. */
static void their_guests_end_with_it(void **state)
{
    start_all();
    end(0);
    assert_true(guests[1].state == GUEST_STOPPED && guests[2].state == GUEST_STOPPED);
    assert_int_equal(host_log_count("guest.stopped", "reason=pf-owner"), 2);
    assert_int_equal(host_log_count("device.blocked", NULL), 0);
    assert_int_equal(host_log_count("pci.reset", "method=flr status=ok"), 3);
    const char *log = host_log_text(), *pf_reset = strstr(log, "pci.reset rid=01:00.0");
    assert_non_null(pf_reset);
    assert_true(strstr(log, "pci.reset rid=01:10.0") < pf_reset);
    assert_true(strstr(log, "pci.reset rid=01:10.2") < pf_reset);
    assert_int_equal(pf_model->resets, 1);
    expect_vfs_enabled();
    sound();
    start_all(); /* in any order: a VF alone is silent, and no harm */
    end(1);
    assert_true(guests[0].state == GUEST_RUNNING && vf_works(1));
    assert_int_equal(pf_model->resets, 1);
}

/* The same for any end: a crash is noted by a core, and taken up by the control loop. */
static void a_crash_is_an_end(void **state)
{
    start_all();
    guest_note_end(&guests[0], "triple-fault", 0);
    turns(2000);
    assert_int_equal(host_log_count("guest.stopped", "reason=pf-owner"), 2);
    expect_vfs_enabled();
}

/* Its VFs do not come back before the card does. */
static void nobody_starts_meanwhile(void **state)
{
    start(0);
    start(1);
    assert_int_equal(guest_stop(&guests[0], "test"), STATUS_OK);
    unsigned busy = 0;
    for (; guests[0].state == GUEST_STOPPING && busy < 5000; busy++) {
        assert_int_equal(guest_start(&guests[2]), STATUS_BUSY);
        turn();
    }
    assert_in_range(busy, 300, 1000); /* its VF's reset, its own, and 100 ms of its VFs' */
    expect_vfs_enabled();
    start(2);
    assert_true(vf_works(1));
}

static void a_restart_restarts_them(void **state)
{
    start_all();
    assert_int_equal(guest_restart(&guests[0]), STATUS_OK);
    turns(2000);
    assert_int_equal(host_log_count("guest.stopped", "reason=restart"), 1);
    assert_int_equal(host_log_count("guest.stopped", "reason=pf-owner"), 2);
    for (unsigned guest = 0; guest < GUESTS; guest++)
        assert_int_equal(guests[guest].state, GUEST_RUNNING);
    assert_true(vf_works(0) && vf_works(1));
    assert_int_equal(pf_model->resets, 1);
    sound();
}

static void expect_blocked(void)
{
    assert_int_equal(host_log_count("device.blocked", "pf=01:00.0 status=ok"), 2);
    for (unsigned n = 0; n < 2; n++) {
        assert_int_equal(context_of(vf(n)->rid), -1);
        assert_int_equal(vf(n)->life, PCI_UNUSABLE);
        assert_true(guests[n + 1].state == GUEST_RUNNING && guests[n + 1].holds == 0);
    }
}

/* owner_lost = quarantine: the guests go on, the VFs never come back, the card does. */
static void their_vfs_are_blocked(void **state)
{
    pf.ends_with_manager = false;
    start_all();
    end(0);
    expect_blocked();
    assert_int_equal(host_log_count("guest.stopped", "reason=pf-owner"), 0);
    expect_vfs_enabled();
    start(0);
    assert_int_equal(pf.function->life, PCI_USED);
    end(1);
    assert_int_equal(guest_start(&guests[1]), STATUS_DENIED);
    turns(100);
    assert_int_equal(guest_restart(&guests[0]), STATUS_OK);
    turns(2000);
    assert_int_equal(guests[0].state, GUEST_RUNNING);
    assert_int_equal(host_log_count("device.blocked", NULL), 2);
}

/* A core of it may still run: nothing waits for a reset that cannot be. */
static void a_lost_owner_is_no_owner(void **state)
{
    for (unsigned ends = 0; ends < 2; ends++) {
        if (ends != 0) {
            assert_int_equal(done(state), 0);
            assert_int_equal(owned(state), 0);
        }
        pf.ends_with_manager = ends != 0;
        start_all();
        guests[0].state = GUEST_LOST;
        turns(2);
        expect_blocked();
    }
}

/* The card is not reset under a guest's hands, however long this takes. */
static void a_vf_that_is_not_given_back(void **state)
{
    start_all();
    guests[1].state = GUEST_LOST;
    assert_int_equal(guest_stop(&guests[0], "test"), STATUS_OK);
    turns(19000);
    assert_int_equal(pf_model->resets, 0);
    assert_true(vf_works(0));
    turns(2000);
    assert_int_equal(pf_model->resets, 0);
    assert_int_equal(host_log_count("pci.reset", "guests have not given its VFs back"), 1);
    assert_int_equal(pf.function->life, PCI_UNUSABLE);
    assert_int_equal(guests[0].state, GUEST_STOPPED);
    assert_int_equal(vf(0)->life, PCI_UNUSABLE); /* after it, as those of any lost PF */
}

static void a_card_that_does_not_enable_them_again(void **state)
{
    start_all();
    model_writable(pf_model, SRIOV + 0x10, 2, 0);
    model_put(pf_model, SRIOV + 0x10, 2, 0);
    assert_int_equal(guest_stop(&guests[0], "test"), STATUS_OK);
    turns(2000);
    assert_int_equal(host_log_count("pci.reset", "does not enable its VFs again"), 1);
    assert_int_equal(pf.function->life, PCI_UNUSABLE);
    assert_int_equal(guests[0].state, GUEST_STOPPED);
    assert_int_equal(guest_start(&guests[0]), STATUS_DENIED);
    turns(100);
    assert_int_equal(guest_start(&guests[1]), STATUS_DENIED);
}

static void the_card_stays_with_it(void **state)
{
    start_all();
    assert_int_equal(guest_move(card, &guests[1]), STATUS_DENIED);
    assert_int_equal(host_log_count("device.refused", "drives the card keeps it"), 1);
    assert_false(guest_moving(&guests[0]));
    assert_true(pf.function->life == PCI_USED && pf.function->owner == OWNER_GUEST(0));
}

/* Nothing of the card is asked or changed for a VF. */
static void its_driver_does_nothing(void **state)
{
    unsigned writes = model_writes();
    assert_false(none_pf_driver.service(&pf));
    assert_int_equal(none_pf_driver.vf_reset(&pf, VFS - 1), STATUS_OK);
    assert_int_equal(none_pf_driver.vf_reset(&pf, VFS), STATUS_INVALID);
    pf.function->in_reset = true;
    assert_int_equal(none_pf_driver.vf_reset(&pf, 0), STATUS_BUSY);
    pf.function->in_reset = false;
    assert_int_equal(model_writes(), writes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, owned, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(their_guests_end_with_it),    TEST(a_crash_is_an_end),
        TEST(nobody_starts_meanwhile),     TEST(a_restart_restarts_them),
        TEST(their_vfs_are_blocked),       TEST(a_lost_owner_is_no_owner),
        TEST(a_vf_that_is_not_given_back), TEST(a_card_that_does_not_enable_them_again),
        TEST(the_card_stays_with_it),      TEST(its_driver_does_nothing),
    };
    return cmocka_run_group_tests_name("pf_owner", tests, NULL, NULL);
}
