/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/pci/life.c hypervisor/guest/lifecycle.c hypervisor/guest/cores.c
// SOURCES: hypervisor/guest/hold.c hypervisor/guest/verdict.c hypervisor/assign/guest.c
// SOURCES: hypervisor/base/format.c hypervisor/base/status.c hypervisor/base/string.c
// SOURCES: hypervisor/base/text.c
/* Starting and stopping guests on cores that obey, dawdle or are lost. */
#include "tests/unit/support/lifecycle_fixture.h"

/* --- starting --- */

static void test_start(void **state)
{
    guests[1].faults = 9;
    guests[1].end_noted = 1;
    strcpy(guests[1].stop_reason, "old");
    vcpus[1].stop_request = vcpus[2].stop_request = 1;
    assert_int_equal(guest_start(&guests[1]), STATUS_OK);
    assert_int_equal(guests[1].state, GUEST_RUNNING);
    assert_int_equal(guests[1].vcpus_running, 2);
    assert_int_equal(guests[1].faults, 0);
    assert_int_equal(guests[1].end_noted, 0);
    assert_string_equal(guests[1].stop_reason, "");
    assert_ptr_equal(cpus[2].vcpu, &vcpus[1]);
    assert_ptr_equal(cpus[3].vcpu, &vcpus[2]);
    assert_int_equal(vcpus[1].start.rip, 0x1001);
    assert_int_equal(vcpus[1].activity, VCPU_RUNNING);
    assert_int_equal(vcpus[2].activity, VCPU_WAIT_FOR_SIPI);
    assert_int_equal(vcpus[1].stop_request + vcpus[2].stop_request, 0);
    assert_int_equal(attaches, 1);
    assert_int_equal(wakes, 0); /* an interrupt could reach the guest */
    assert_int_equal(kicks, 2);
    assert_int_equal(guest_start(&guests[1]), STATUS_BUSY);
    guests[0].state = GUEST_REFUSED;
    assert_int_equal(guest_start(&guests[0]), STATUS_BUSY);
    guests[0].state = GUEST_LOST;
    assert_int_equal(guest_start(&guests[0]), STATUS_BUSY);
}

static void test_a_start_that_fails(void **state)
{
    attach_status = STATUS_DEVICE;
    guests[1].assignments[guests[1].assignment_count++] = &second;
    second_function.life = PCI_USED; /* as if it had been connected, then the other one failed */
    reset_done = false;
    assert_int_equal(guest_start(&guests[1]), STATUS_DEVICE);
    assert_int_equal(guests[1].state, GUEST_STOPPING); /* nothing has been waited for */
    assert_int_equal(detach_starts, 1);
    guests_service();
    assert_int_equal(detach_finishes, 0);
    assert_int_equal(guest_start(&guests[1]), STATUS_BUSY);
    reset_done = true;
    guests_service();
    assert_int_equal(guests[1].state, GUEST_STOPPED);
    assert_int_equal(detach_finishes, 1);
    assert_int_equal(host_log_count("guest.stopped", "name=beta status=0 reason=not-started"), 1);
    configs[1].expect = EXPECT_STOPPED;
    assert_false(guests_verdict(true, true)); /* it has not run, so it was not stopped either */
    assert_null(cpus[2].vcpu);
    detach_status = STATUS_TIMEOUT;
    second_function.life = PCI_USED;
    assert_int_equal(guest_start(&guests[1]), STATUS_DEVICE);
    guests_service();
    assert_int_equal(guests[1].state, GUEST_LOST);
    load_status = STATUS_INVALID;
    assert_int_equal(guest_start(&guests[0]), STATUS_INVALID);
    assert_null(cpus[1].vcpu);
}

static void test_start_all(void **state)
{
    guests_start_all();
    assert_int_equal(guests[0].state, GUEST_CREATED);
    assert_true(guests_starting());
    assert_false(guests_all_ended());
    guests_service();
    assert_int_equal(guests[0].state, GUEST_RUNNING);
    assert_int_equal(guests[1].state, GUEST_RUNNING);
    assert_false(guests_starting());
    assert_int_equal(host_log_count("guest.started", NULL), 2);
}

/* Overwriting a large memory takes its time: nobody else's start waits for that. */
static void test_memory_still_being_overwritten(void **state)
{
    guests[0].scrubbing = true;
    cores_scrub = false;
    assert_int_equal(guest_start(&guests[0]), STATUS_BUSY);
    guests_start_all();
    guests_service();
    assert_int_equal(guests[0].state, GUEST_CREATED);
    assert_int_equal(guests[1].state, GUEST_RUNNING);
    assert_true(guests_starting());
    cores_scrub = true;
    guests_service();
    assert_int_equal(guests[0].state, GUEST_RUNNING);
    assert_false(guests_starting());
    assert_int_equal(host_log_count("guest.refused", NULL), 0);
}

static void test_memory_that_stays_as_it_is(void **state)
{
    assert_int_equal(guest_start(&guests[0]), STATUS_OK);
    assert_int_equal(guest_stop(&guests[0], "operator"), STATUS_OK);
    scrub_succeeds = false;
    guests_service();
    assert_int_equal(guests[0].state, GUEST_STOPPED);
    assert_int_equal(host_log_count("guest.scrub_failed", "name=alpha"), 1);
}

/* --- stopping --- */

static void test_stop(void **state)
{
    assert_int_equal(guest_stop(&guests[1], "early"), STATUS_NOT_FOUND);
    assert_int_equal(guest_start(&guests[1]), STATUS_OK);
    reset_done = false;
    assert_int_equal(guest_stop(&guests[1], "operator"), STATUS_OK);
    assert_int_equal(guests[1].state, GUEST_STOPPING);
    assert_int_equal(detach_starts, 1);
    assert_false(guests_all_ended());
    guests_service();
    assert_int_equal(detach_finishes, 0);
    assert_int_equal(scrubs, 0);
    reset_done = true;
    guests_service();
    assert_int_equal(guests[1].state, GUEST_STOPPED);
    assert_int_equal(detach_finishes, 1);
    assert_int_equal(scrubs, 1);
    assert_true(guests_all_ended());
    assert_int_equal(host_log_count("guest.stopped", "name=beta status=0 reason=operator"), 1);
    assert_int_equal(guest_start(&guests[1]), STATUS_OK); /* and again */
}

/* One device in a turn of the control loop: what a device's end costs, others wait for once. */
static void test_devices_go_one_at_a_time(void **state)
{
    guests[1].assignments[guests[1].assignment_count++] = &second;
    assert_int_equal(guest_start(&guests[1]), STATUS_OK);
    assert_int_equal(guest_stop(&guests[1], "operator"), STATUS_OK);
    guests_service();
    assert_int_equal(detach_finishes, 1);
    assert_int_equal(guests[1].state, GUEST_STOPPING);
    guests_service();
    assert_int_equal(detach_finishes, 2);
    assert_int_equal(guests[1].state, GUEST_STOPPED);
}

/* So does what is left of a guest's memory: one guest's in a turn, and only its own waits for its
 * cores. */
static void test_guests_go_one_at_a_time(void **state)
{
    guests_start_all();
    guests_service();
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(guest_stop(&guests[i], "operator"), STATUS_OK);
    for (unsigned turn = 1; turn <= 2; turn++) {
        guests_service();
        assert_int_equal(scrubs, turn);
    }
    assert_true(guests_all_ended());
    cores_scrub = false;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(guest_start(&guests[i]), STATUS_OK);
        assert_int_equal(guest_stop(&guests[i], "operator"), STATUS_OK);
    }
    guests_service();
    guests_service();
    assert_int_equal(scrubs, 4); /* both at the same time, and each begun once */
    assert_int_equal(guests[0].state, GUEST_STOPPING);
    assert_int_equal(guest_start(&guests[0]), STATUS_BUSY);
    cores_scrub = true;
    guests_service();
    guests_service();
    assert_true(guests_all_ended());
}

static void test_a_core_that_does_not_come_back(void **state)
{
    assert_int_equal(guest_start(&guests[1]), STATUS_OK);
    cores_obey = false;
    const uint64_t before = clock_microseconds();
    assert_int_equal(guest_stop(&guests[1], "operator"), STATUS_TIMEOUT);
    assert_in_range(clock_microseconds() - before, MILLISECONDS(100), MILLISECONDS(5000));
    assert_int_equal(guests[1].state, GUEST_LOST);
    assert_int_equal(disables, 1);
    /* Its memory may still be in use: not scrubbed, not started. */
    assert_int_equal(scrubs + detach_starts, 0);
    assert_int_equal(host_log_count("guest.lost", "name=beta"), 1);
    assert_int_equal(guest_start(&guests[1]), STATUS_BUSY);
    guests_service();
    assert_int_equal(guests[1].state, GUEST_LOST);
}

static void test_a_core_that_dies(void **state)
{
    assert_int_equal(guest_start(&guests[1]), STATUS_OK);
    guests[1].vcpus[0]->cpu->state = CPU_FAILED;
    const uint64_t before = clock_microseconds();
    guests_service();
    assert_in_range(clock_microseconds() - before, 0, MILLISECONDS(100)); /* nothing to wait for */
    assert_int_equal(guests[1].state, GUEST_LOST);
    assert_string_equal(guests[1].stop_reason, "core-failed");
    assert_int_equal(disables, 1);
    assert_int_equal(scrubs + detach_starts, 0);
    assert_int_equal(host_log_count("guest.lost", "name=beta reason=core-failed"), 1);
}

/* Its guest ended as any other; nothing is started there again. */
static void test_a_core_that_is_retired(void **state)
{
    assert_int_equal(guest_start(&guests[0]), STATUS_OK);
    guest_note_end(&guests[0], "machine-check", 0);
    guests_service();
    guests_service();
    assert_int_equal(guests[0].state, GUEST_STOPPED);
    guests[0].vcpus[0]->cpu->state = CPU_RETIRED;
    assert_int_equal(guest_start(&guests[0]), STATUS_DEVICE);
    assert_int_equal(guests[0].state, GUEST_STOPPED);
    assert_int_equal(host_log_count("guest.refused", "guest=alpha core="), 1);
}

static void test_a_device_that_does_not_come_back(void **state)
{
    assert_int_equal(guest_start(&guests[1]), STATUS_OK);
    detach_status = STATUS_TIMEOUT;
    assert_int_equal(guest_stop(&guests[1], "operator"), STATUS_OK);
    guests_service();
    assert_int_equal(guests[1].state, GUEST_LOST);
    assert_int_equal(scrubs, 0);
    assert_int_equal(host_log_count("guest.lost", "name=beta"), 1);
    assert_int_equal(guest_start(&guests[1]), STATUS_BUSY);
}

static void test_the_first_reason_counts(void **state)
{
    assert_int_equal(guest_start(&guests[0]), STATUS_OK);
    guest_note_end(&guests[0], "exit", 3);
    guest_note_end(&guests[0], "exit", 7);
    guest_note_end(&guests[0], "triple-fault", 0);
    guests_service();
    guests_service();
    assert_int_equal(guests[0].state, GUEST_STOPPED);
    assert_string_equal(guests[0].stop_reason, "exit");
    assert_int_equal(host_log_count("guest.stopped", "name=alpha status=3 reason=exit"), 1);
}

static void test_time_limit(void **state)
{
    configs[0].time_limit = 2;
    guests_start_all();
    guests_service();
    host_clock_advance(1900000);
    guests_service();
    assert_int_equal(guests[0].state, GUEST_RUNNING);
    host_clock_advance(200000);
    guests_service();
    guests_service();
    assert_string_equal(guests[0].stop_reason, "time-limit");
    assert_int_equal(guests[0].state, GUEST_STOPPED);
    host_clock_advance(UINT64_C(1000000) * 86400);
    guests_service();
    assert_int_equal(guests[1].state, GUEST_RUNNING); /* none of its own */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, fresh)
    const struct CMUnitTest tests[] = {
        TEST(test_start),
        TEST(test_a_start_that_fails),
        TEST(test_start_all),
        TEST(test_memory_still_being_overwritten),
        TEST(test_memory_that_stays_as_it_is),
        TEST(test_stop),
        TEST(test_devices_go_one_at_a_time),
        TEST(test_guests_go_one_at_a_time),
        TEST(test_a_core_that_does_not_come_back),
        TEST(test_a_core_that_dies),
        TEST(test_a_core_that_is_retired),
        TEST(test_a_device_that_does_not_come_back),
        TEST(test_the_first_reason_counts),
        TEST(test_time_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
