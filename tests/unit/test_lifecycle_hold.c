/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/pci/life.c hypervisor/guest/lifecycle.c hypervisor/guest/cores.c
// SOURCES: hypervisor/guest/hold.c hypervisor/guest/verdict.c hypervisor/assign/guest.c
// SOURCES: hypervisor/base/format.c hypervisor/base/status.c hypervisor/base/string.c
// SOURCES: hypervisor/base/text.c
/* Holding, pausing and restarting guests; and the run's verdict. */
#include "tests/unit/support/lifecycle_fixture.h"

/* --- holding, pausing, restarting --- */

static void test_hold_nests(void **state)
{
    guests_start_all();
    guests_service();
    control_calls_service();
    unsigned before = kicks;
    assert_int_equal(guest_hold(&guests[1]), STATUS_OK);
    assert_int_equal(vcpus[0].in_guest, 1); /* the other guest's */
    assert_int_equal(vcpus[1].in_guest + vcpus[2].in_guest, 0);
    assert_int_equal(kicks - before, 2);
    assert_int_equal(guest_hold(&guests[1]), STATUS_OK);
    guest_release(&guests[1]);
    assert_int_equal(vcpus[1].hold_request, 1);
    guest_release(&guests[1]);
    assert_int_equal(vcpus[1].hold_request + vcpus[2].hold_request, 0);
}

static void test_a_core_that_cannot_be_held(void **state)
{
    guests_start_all();
    guests_service();
    control_calls_service();
    cores_obey = false;
    const uint64_t before = clock_microseconds();
    assert_int_equal(guest_pause(&guests[1]), STATUS_TIMEOUT);
    assert_in_range(clock_microseconds() - before, MILLISECONDS(100), MILLISECONDS(5000));
    assert_int_equal(host_log_count("guest.hold_failed", "name=beta"), 1);
    /* Nobody is left waiting. */
    assert_int_equal(vcpus[1].hold_request + vcpus[2].hold_request, 0);
    assert_int_equal(guests[1].holds, 0);
    assert_false(guests[1].paused);
    assert_int_equal(guests[1].state, GUEST_RUNNING);
}

static void test_pause_and_resume(void **state)
{
    assert_int_equal(guest_pause(&guests[1]), STATUS_NOT_FOUND);
    assert_int_equal(guest_resume(&guests[1]), STATUS_NOT_FOUND);
    guests_start_all();
    guests_service();
    assert_int_equal(guest_pause(&guests[1]), STATUS_OK);
    assert_true(guests[1].paused);
    assert_int_equal(guest_pause(&guests[1]), STATUS_BUSY);
    guests_service();
    assert_int_equal(guests[1].state, GUEST_RUNNING);
    assert_int_equal(guest_resume(&guests[1]), STATUS_OK);
    assert_int_equal(vcpus[1].hold_request, 0);
    assert_int_equal(guest_resume(&guests[1]), STATUS_NOT_FOUND);
    /* A paused guest can be stopped, and is not paused when it is started again. */
    assert_int_equal(guest_pause(&guests[1]), STATUS_OK);
    assert_int_equal(guest_stop(&guests[1], "operator"), STATUS_OK);
    guests_service();
    assert_int_equal(guests[1].state, GUEST_STOPPED);
    assert_int_equal(guest_start(&guests[1]), STATUS_OK);
    assert_false(guests[1].paused);
    assert_int_equal(vcpus[1].hold_request, 0);
}

static void test_no_start_while_held(void **state)
{
    guests[1].holds = 1; /* a device of it is being moved */
    assert_int_equal(guest_start(&guests[1]), STATUS_BUSY);
    guests[1].restarting = true;
    guests[1].state = GUEST_STOPPED;
    guests_service();
    assert_int_equal(guests[1].state, GUEST_STOPPED);
    guests[1].holds = 0;
    guests_service();
    assert_int_equal(guests[1].state, GUEST_RUNNING);
}

static void test_no_start_during_a_move(void **state)
{
    moving = &guests[1];
    assert_int_equal(guest_start(&guests[1]), STATUS_BUSY);
    assert_int_equal(guest_restart(&guests[1]), STATUS_BUSY);
    assert_int_equal(attaches, 0);
    assert_int_equal(guests[1].state, GUEST_CREATED);
    guests[1].restarting = true;
    guests[1].state = GUEST_STOPPED;
    guests_service();
    assert_int_equal(guests[1].state, GUEST_STOPPED);
    moving = NULL;
    guests_service();
    assert_int_equal(guests[1].state, GUEST_RUNNING);
}

static void test_restart(void **state)
{
    assert_int_equal(guest_restart(&guests[1]), STATUS_OK); /* starts what does not run */
    assert_int_equal(guests[1].state, GUEST_RUNNING);
    reset_done = false;
    assert_int_equal(guest_restart(&guests[1]), STATUS_OK);
    guests_service();
    assert_int_equal(guests[1].state, GUEST_STOPPING);
    assert_false(guests_all_ended());
    reset_done = true;
    guests_service();
    assert_int_equal(guests[1].state, GUEST_STOPPED);
    guests_service();
    assert_int_equal(guests[1].state, GUEST_RUNNING);
    assert_int_equal(scrubs, 1);
    assert_int_equal(host_log_count("guest.stopped", "reason=restart"), 1);
    assert_int_equal(host_log_count("guest.started", "name=beta"), 2);

    load_status = STATUS_INVALID;
    assert_int_equal(guest_restart(&guests[1]), STATUS_OK);
    guests_service();
    guests_service();
    assert_int_equal(guests[1].state, GUEST_STOPPED);
    assert_int_equal(host_log_count("guest.refused", "guest=beta"), 1);
    guests_service();
    assert_int_equal(host_log_count("guest.refused", "guest=beta"), 1); /* tried once */
}

static void test_shutdown_ends_a_restart(void **state)
{
    guests_start_all();
    guests_service();
    reset_done = false;
    assert_int_equal(guest_restart(&guests[1]), STATUS_OK);
    reset_done = true;
    guests_stop_all(nothing);
    assert_true(guests_all_ended());
    assert_int_equal(guests[1].state, GUEST_STOPPED);
}

/* What its cores logged and what it sent is written first, for five seconds at most; neighbours'
 * calls are answered meanwhile. */
static void test_an_end_waits_for_the_output(void **state)
{
    for (unsigned late = 0; late < 2; late++) {
        assert_int_equal(guest_start(&guests[0]), STATUS_OK);
        assert_true(guests[0].loading && !guests[0].ports); /* as a stub has not said yet */
        guests[0].ports = true;
        assert_int_equal(guest_stop(&guests[0], "monitor"), STATUS_OK);
        lines_left = 3;
        for (unsigned turn = 0; turn < 3; turn++) {
            guests_service();
            assert_int_equal(guests[0].state, GUEST_STOPPING);
            if (turn == 1)
                log_service();
        }
        lines_left = 0;
        guests_service();
        assert_int_equal(guests[0].state, GUEST_STOPPING);
        assert_int_equal(host_log_count("guest.stopped", "name=alpha"), late);
        if (late == 0)
            guests[0].output_left = false; /* the monitor is through with it */
        else
            host_clock_advance(MILLISECONDS(5000));
        guests_service();
        assert_int_equal(guests[0].state, GUEST_STOPPED);
        assert_int_equal(host_log_count("guest.stopped", "name=alpha"), late + 1);
    }
}

/* Its start stub could not make anything of the image: what it had is taken back, and it is not
 * started again. */
static void test_a_stub_that_refuses(void **state)
{
    assert_int_equal(guest_start(&guests[0]), STATUS_OK);
    guest_note_end(&guests[0], END_REFUSED, 0);
    guests[0].restarting = true;
    for (unsigned turn = 0; turn < 5; turn++) {
        guests_service();
        host_clock_advance(MILLISECONDS(1000));
    }
    assert_int_equal(guests[0].state, GUEST_REFUSED);
    assert_int_equal(host_log_count("guest.stopped", "reason=refused"), 1);
    assert_false(guests[0].restarting);
    assert_int_equal(guest_start(&guests[0]), STATUS_BUSY);
}

static void test_stop_all(void **state)
{
    guests_start_all();
    guests_service();
    guests_stop_all(nothing);
    assert_true(guests_all_ended());
    assert_int_equal(host_log_count("guest.stopped", "reason=shutdown"), 2);
    host_log_clear();
    assert_int_equal(guest_start(&guests[1]), STATUS_OK);
    reset_done = false;
    guests_stop_all(nothing); /* bounded, though a device is never ready */
    assert_int_equal(host_log_count("guest.stop_failed", NULL), 1);
}

/* --- the verdict --- */

static void test_verdict(void **state)
{
    static const struct {
        enum config_expect expect;
        uint32_t expect_status, expect_faults;
        enum guest_state state;
        const char *reason;
        uint64_t status, faults;
        const char *why; /* NULL: the verdict is ok */
    } cases[] = {
        {EXPECT_EXIT, 0, 0, GUEST_STOPPED, "exit", 0, 0, NULL},
        {EXPECT_EXIT, 7, 0, GUEST_STOPPED, "exit", 7, 0, NULL},
        {EXPECT_EXIT, 0, 0, GUEST_STOPPED, "exit", 1, 0, "another status"},
        {EXPECT_EXIT, 0, 0, GUEST_STOPPED, "exit", UINT64_C(1) << 32, 0, "another status"},
        {EXPECT_EXIT, 0, 0, GUEST_STOPPED, "triple-fault", 0, 0, "guest.stopped has the reason"},
        {EXPECT_EXIT, 0, 0, GUEST_RUNNING, "", 0, 0, "did not run to its end"},
        {EXPECT_EXIT, 0, 0, GUEST_REFUSED, "", 0, 0, "guest.refused says why"},
        {EXPECT_EXIT, 0, 0, GUEST_CREATED, "", 0, 0, "did not run to its end"},
        {EXPECT_EXIT, 0, 0, GUEST_LOST, "exit", 0, 0, "did not run to its end"},
        {EXPECT_EXIT, 0, 3, GUEST_STOPPED, "exit", 0, 3, NULL},
        {EXPECT_EXIT, 0, 3, GUEST_STOPPED, "exit", 0, 9, NULL},
        {EXPECT_EXIT, 0, 3, GUEST_STOPPED, "exit", 0, 2, "fewer of its DMA accesses"},
        {EXPECT_REFUSED, 0, 0, GUEST_REFUSED, "", 0, 0, NULL},
        {EXPECT_REFUSED, 0, 0, GUEST_STOPPED, "exit", 0, 0, "was not refused"},
        {EXPECT_REFUSED, 0, 0, GUEST_RUNNING, "", 0, 0, "was not refused"},
        {EXPECT_STOPPED, 0, 0, GUEST_STOPPED, "dma-faults", 0, 0, NULL},
        {EXPECT_STOPPED, 0, 1, GUEST_STOPPED, "dma-faults", 0, 0, "fewer of its DMA accesses"},
        {EXPECT_STOPPED, 0, 0, GUEST_STOPPED, "exit", 0, 0, "was to be stopped"},
        {EXPECT_STOPPED, 0, 0, GUEST_RUNNING, "", 0, 0, "did not run to its end"},
        {EXPECT_STOPPED, 0, 0, GUEST_LOST, "dma-faults", 0, 0, "did not run to its end"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        fresh(state);
        guests[0].state = GUEST_STOPPED; /* expects exit 0 */
        strcpy(guests[0].stop_reason, "exit");
        configs[1].expect = cases[i].expect;
        configs[1].expect_status = cases[i].expect_status;
        configs[1].expect_faults = cases[i].expect_faults;
        guests[1].state = cases[i].state;
        guests[1].exit_status = cases[i].status;
        guests[1].faults = cases[i].faults;
        strcpy(guests[1].stop_reason, cases[i].reason);
        bool ok = cases[i].why == NULL;
        assert_int_equal(guests_verdict(true, true), ok);
        assert_int_equal(host_log_count("run.verdict", "result=ok"), ok);
        assert_int_equal(host_log_count("run.verdict",
                                        "result=failed unexpected=1 audit=ok config=ok "
                                        "message=\"run.unexpected says"),
                         !ok);
        assert_int_equal(host_log_count("run.unexpected", "guest=beta"), !ok);
        assert_int_equal(host_log_count("run.unexpected", ok ? "" : cases[i].why), !ok);
        assert_int_equal(host_log_count("run.unexpected", "guest=alpha"), 0);
    }
}

/* An audit or a configuration that failed spoils the best run, and is what the verdict names. */
static void test_verdict_names_its_cause(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        guests[i].state = GUEST_STOPPED;
        strcpy(guests[i].stop_reason, "exit");
    }
    assert_true(guests_verdict(true, true));
    assert_false(guests_verdict(false, true));
    assert_int_equal(
        host_log_count("run.verdict",
                       "unexpected=0 audit=failed config=ok message=\"audit.violation says"),
        1);
    assert_false(guests_verdict(true, false));
    assert_int_equal(
        host_log_count("run.verdict",
                       "unexpected=0 audit=ok config=errors message=\"config.error says"),
        1);
    assert_int_equal(host_log_count("run.unexpected", NULL), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, fresh)
    const struct CMUnitTest tests[] = {
        TEST(test_hold_nests),
        TEST(test_a_core_that_cannot_be_held),
        TEST(test_pause_and_resume),
        TEST(test_no_start_while_held),
        TEST(test_no_start_during_a_move),
        TEST(test_restart),
        TEST(test_shutdown_ends_a_restart),
        TEST(test_a_stub_that_refuses),
        TEST(test_stop_all),
        TEST(test_an_end_waits_for_the_output),
        TEST(test_verdict),
        TEST(test_verdict_names_its_cause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
