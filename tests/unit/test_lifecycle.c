// SOURCES: hypervisor/guest/lifecycle.c hypervisor/guest/hold.c hypervisor/base/format.c
// SOURCES: hypervisor/base/status.c hypervisor/base/string.c hypervisor/base/text.c
/* Starting and stopping guests on cores that obey, dawdle or are lost; and the run's verdict. */
#include <string.h>

#include "hypervisor/guest/control_call.h"
#include "hypervisor/guest/device.h"
#include "hypervisor/guest/load.h"
#include "hypervisor/guest/move.h"
#include "hypervisor/guest/virtual_serial.h"
#include "hypervisor/pci/pf_driver.h"
#include "hypervisor/x86/apic.h"
#include "hypervisor/x86/cpu.h"
#include "tests/unit/support/host.h"

/* --- two guests on cores 1 to 3; the second one has a device --- */

static struct cpu cpus[4];
static struct vcpu vcpus[3];
static struct config_guest configs[2];
static struct guest guests[2];
static struct guest_device device;
static unsigned kicks, wakes, scrubs, attaches, detach_starts, detach_finishes, disables;
static bool cores_obey, reset_done;
static enum status load_status, attach_status, detach_status;
static unsigned started; /* guests that ran while another was loaded */

struct guest *guest_at(unsigned index)
{
    return index < ARRAY_SIZE(guests) ? &guests[index] : NULL;
}

struct pf_device *nic_device(uint32_t index)
{
    return NULL;
}

void log_drain(void)
{
}

void virtual_serial_reset(struct virtual_serial *serial)
{
}

void guest_move_service(void)
{
}

/* A core that obeys leaves guest mode while its stop is waited for. */
void control_calls_service(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(vcpus) && cores_obey; i++) {
        struct cpu *cpu = vcpus[i].cpu;
        vcpus[i].in_guest = cpu->vcpu == &vcpus[i] && vcpus[i].hold_request == 0;
        if (vcpus[i].stop_request == 0 || cpu->vcpu != &vcpus[i])
            continue;
        cpu->vcpu = NULL;
        vcpus[i].guest->vcpus_running--;
    }
}

bool apic_send(uint32_t destination, uint32_t command)
{
    wakes++;
    return destination != 103; /* one APIC that does not send */
}

void cpu_kick(struct cpu *cpu)
{
    kicks++;
}

enum status load_guest(struct guest *guest, struct vcpu_state *start)
{
    for (unsigned i = 0; i < 2; i++)
        started += guests[i].state == GUEST_RUNNING;
    memset(start, 0, sizeof *start);
    start->rip = 0x1000 + guest->index;
    return load_status;
}

enum status load_scrub(struct guest *guest)
{
    assert_int_not_equal(guest->state, GUEST_RUNNING);
    if (guest == &guests[1])
        assert_int_equal(detach_starts, detach_finishes);
    scrubs++;
    return STATUS_OK;
}

enum status device_attach(struct guest_device *attached)
{
    attaches++;
    return attach_status;
}

void device_detach_start(struct guest_device *detached)
{
    assert_int_equal(guests[1].vcpus_running, 0);
    detach_starts++;
}

bool device_detach_ready(const struct guest_device *detached)
{
    return reset_done;
}

enum status device_detach_finish(struct guest_device *detached)
{
    detach_finishes++;
    return detach_status;
}

void device_disable(struct guest_device *disabled)
{
    disables++;
}

static int fresh(void **state)
{
    memset(configs, 0, sizeof configs);
    memset(vcpus, 0, sizeof vcpus);
    for (unsigned i = 0; i < 4; i++)
        cpus[i] = (struct cpu){.index = i, .apic_id = 100 + i};
    for (unsigned i = 0; i < 2; i++)
        guests[i] = (struct guest){.index = i, .config = &configs[i], .state = GUEST_CREATED};
    strcpy(guests[0].name, "alpha");
    strcpy(guests[1].name, "beta");
    for (unsigned i = 0; i < 3; i++) {
        struct guest *guest = &guests[i == 0 ? 0 : 1];
        vcpus[i].cpu = &cpus[i + 1];
        vcpus[i].guest = guest;
        vcpus[i].index = guest->cpu_count;
        guest->vcpus[guest->cpu_count++] = &vcpus[i];
    }
    device = (struct guest_device){.guest = &guests[1]};
    guests[1].devices[guests[1].device_count++] = &device;
    kicks = wakes = scrubs = attaches = detach_starts = detach_finishes = disables = 0;
    cores_obey = reset_done = true;
    load_status = attach_status = detach_status = STATUS_OK;
    started = 0;
    host_clock_set(0);
    host_log_clear();
    return 0;
}

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
    assert_int_equal(guest_start(&guests[1]), STATUS_DEVICE);
    assert_int_equal(guests[1].state, GUEST_CREATED);
    assert_int_equal(detach_starts, 1);
    assert_int_equal(detach_finishes, 1);
    assert_null(cpus[2].vcpu);
    detach_status = STATUS_TIMEOUT;
    assert_int_equal(guest_start(&guests[1]), STATUS_DEVICE);
    assert_int_equal(guests[1].state, GUEST_LOST);
    load_status = STATUS_INVALID;
    assert_int_equal(guest_start(&guests[0]), STATUS_INVALID);
    assert_null(cpus[1].vcpu);
}

static void test_start_all(void **state)
{
    guests_start_all();
    assert_int_equal(guests[0].state, GUEST_RUNNING);
    assert_int_equal(guests[1].state, GUEST_RUNNING);
    assert_int_equal(started, 0); /* each was loaded while none ran */
    assert_int_equal(host_log_count("guest.started", NULL), 2);
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

/* --- holding, pausing, restarting --- */

static void test_hold_nests(void **state)
{
    guests_start_all();
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
    assert_int_equal(guests[1].state, GUEST_RUNNING);
    assert_int_equal(scrubs, 1);
    assert_int_equal(host_log_count("guest.stopped", "reason=restart"), 1);
    assert_int_equal(host_log_count("guest.started", "name=beta"), 2);

    load_status = STATUS_INVALID;
    assert_int_equal(guest_restart(&guests[1]), STATUS_OK);
    guests_service();
    assert_int_equal(guests[1].state, GUEST_STOPPED);
    assert_int_equal(host_log_count("guest.refused", "guest=beta"), 1);
    guests_service();
    assert_int_equal(host_log_count("guest.refused", "guest=beta"), 1); /* tried once */
}

static void test_shutdown_ends_a_restart(void **state)
{
    guests_start_all();
    reset_done = false;
    assert_int_equal(guest_restart(&guests[1]), STATUS_OK);
    reset_done = true;
    guests_stop_all();
    assert_true(guests_all_ended());
    assert_int_equal(guests[1].state, GUEST_STOPPED);
}

static void test_stop_all(void **state)
{
    guests_start_all();
    guests_stop_all();
    assert_true(guests_all_ended());
    assert_int_equal(host_log_count("guest.stopped", "reason=shutdown"), 2);
    host_log_clear();
    assert_int_equal(guest_start(&guests[1]), STATUS_OK);
    reset_done = false;
    guests_stop_all(); /* bounded, though a device is never ready */
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
        bool ok;
    } cases[] = {
        {EXPECT_EXIT, 0, 0, GUEST_STOPPED, "exit", 0, 0, true},
        {EXPECT_EXIT, 7, 0, GUEST_STOPPED, "exit", 7, 0, true},
        {EXPECT_EXIT, 0, 0, GUEST_STOPPED, "exit", 1, 0, false},
        {EXPECT_EXIT, 0, 0, GUEST_STOPPED, "exit", UINT64_C(1) << 32, 0, false},
        {EXPECT_EXIT, 0, 0, GUEST_STOPPED, "triple-fault", 0, 0, false},
        {EXPECT_EXIT, 0, 0, GUEST_RUNNING, "", 0, 0, false},
        {EXPECT_EXIT, 0, 0, GUEST_REFUSED, "", 0, 0, false},
        {EXPECT_EXIT, 0, 0, GUEST_CREATED, "", 0, 0, false},
        {EXPECT_EXIT, 0, 0, GUEST_LOST, "exit", 0, 0, false},
        {EXPECT_EXIT, 0, 3, GUEST_STOPPED, "exit", 0, 3, true},
        {EXPECT_EXIT, 0, 3, GUEST_STOPPED, "exit", 0, 9, true},
        {EXPECT_EXIT, 0, 3, GUEST_STOPPED, "exit", 0, 2, false},
        {EXPECT_REFUSED, 0, 0, GUEST_REFUSED, "", 0, 0, true},
        {EXPECT_REFUSED, 0, 0, GUEST_STOPPED, "exit", 0, 0, false},
        {EXPECT_REFUSED, 0, 0, GUEST_RUNNING, "", 0, 0, false},
        {EXPECT_STOPPED, 0, 0, GUEST_STOPPED, "dma-faults", 0, 0, true},
        {EXPECT_STOPPED, 0, 1, GUEST_STOPPED, "dma-faults", 0, 0, false},
        {EXPECT_STOPPED, 0, 0, GUEST_STOPPED, "exit", 0, 0, false},
        {EXPECT_STOPPED, 0, 0, GUEST_RUNNING, "", 0, 0, false},
        {EXPECT_STOPPED, 0, 0, GUEST_LOST, "dma-faults", 0, 0, false},
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
        assert_int_equal(guests_verdict(true), cases[i].ok);
        assert_int_equal(host_log_count("run.verdict", cases[i].ok ? "result=ok" : "result=failed"),
                         1);
        assert_int_equal(host_log_count("run.unexpected", "guest=beta"), !cases[i].ok);
        assert_int_equal(host_log_count("run.unexpected", "guest=alpha"), 0);
        /* An audit or a configuration that failed spoils the best run. */
        host_log_clear();
        assert_false(guests_verdict(false));
        assert_int_equal(host_log_count("run.verdict", "result=failed"), 1);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, fresh)
    const struct CMUnitTest tests[] = {
        TEST(test_start),
        TEST(test_a_start_that_fails),
        TEST(test_start_all),
        TEST(test_stop),
        TEST(test_a_core_that_does_not_come_back),
        TEST(test_a_core_that_dies),
        TEST(test_a_device_that_does_not_come_back),
        TEST(test_the_first_reason_counts),
        TEST(test_time_limit),
        TEST(test_hold_nests),
        TEST(test_a_core_that_cannot_be_held),
        TEST(test_pause_and_resume),
        TEST(test_no_start_while_held),
        TEST(test_restart),
        TEST(test_shutdown_ends_a_restart),
        TEST(test_stop_all),
        TEST(test_verdict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
