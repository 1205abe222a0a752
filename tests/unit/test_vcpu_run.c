/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/vcpu/svm/handle.c hypervisor/vcpu/svm/length.c
// SOURCES: hypervisor/vcpu/exits.c hypervisor/vcpu/emulate/memory.c hypervisor/vcpu/selected.c
// SOURCES: hypervisor/setup/cpuid_policy.c hypervisor/vcpu/policy/control_registers.c
// SOURCES: hypervisor/vcpu/emulate/fetch.c hypervisor/vcpu/report.c hypervisor/vcpu/registers.c
// SOURCES: hypervisor/vcpu/resume.c hypervisor/vcpu/run.c hypervisor/vcpu/exit_kind.c
// SOURCES: hypervisor/vcpu/state.c hypervisor/vcpu/emulate/instruction.c
// SOURCES: hypervisor/vcpu/interrupt.c hypervisor/vcpu/policy/cpuid.c
// SOURCES: hypervisor/vcpu/policy/msr.c hypervisor/base/format.c hypervisor/base/text.c
// SOURCES: hypervisor/base/string.c hypervisor/base/status.c
// SOURCES: hypervisor/x86/machine_check.c
// SOURCES: hypervisor/vcpu/barrier.c
/* A vCPU from its start to its end: NMIs, INIT and start-up IPI, stop requests; and what of its
 * core's last owner is cleared before and after. */
#include "hypervisor/vcpu/barrier.h"
#include "hypervisor/vcpu/interrupt.h"
#include "tests/unit/support/fake_vcpu.h"

/* --- NMI: stop, INIT, a sibling's NMI, and nothing --- */

static void request_stop(struct vcpu *target)
{
    target->stop_request = 1;
}

static void request_nmi(struct vcpu *target)
{
    target->nmi_request = 1;
    before_exit = NULL;
}

static void test_nmi(void **state)
{
    then(EXIT_NMI, 0);
    run();
    expect_rip(0x1000);
    assert_int_equal(injections, 0);

    setup(NULL);
    then(EXIT_NMI, 0);
    then(EXIT_TRIPLE_FAULT, 0);
    before_exit = request_stop;
    run();
    assert_int_equal(stops, 0);
    assert_int_equal(vcpu.exits[EXIT_TRIPLE_FAULT], 0);

    setup(NULL);
    then(EXIT_NMI, 0);
    before_exit = request_nmi;
    run();
    expect_injection(2, false);
    assert_int_equal(vcpu.nmi_request, 0);
}

/* --- held by the control core --- */

/* The control core, which looks while the core waits, sees it out of guest mode. */
static void end_hold(void)
{
    assert_int_equal(vcpu.in_guest, 0);
    vcpu.hold_request = 0;
}

static void request_hold(struct vcpu *target)
{
    assert_int_equal(target->in_guest, 1);
    target->hold_request = 1;
    host_during_relax = end_hold;
    before_exit = NULL;
}

static void test_held(void **state)
{
    then(EXIT_NMI, 0);
    before_exit = request_hold;
    unsigned before = flushes;
    run();
    assert_int_equal(flushes - before, 1); /* whatever was taken away meanwhile is forgotten */
    assert_int_equal(vcpu.hold_request, 0);
    assert_int_equal(vcpu.in_guest, 0); /* it ended */

    setup(NULL); /* asked before it ran at all */
    vcpu.hold_request = 1;
    host_during_relax = end_hold;
    before = flushes;
    run();
    assert_int_equal(flushes - before, 1);
}

static void stop_instead(void)
{
    assert_int_equal(vcpu.in_guest, 0);
    vcpu.stop_request = 1;
}

static void test_stopped_while_held(void **state)
{
    vcpu.hold_request = 1;
    host_during_relax = stop_instead;
    then(EXIT_TRIPLE_FAULT, 0);
    run();
    assert_int_equal(vcpu.exits[EXIT_TRIPLE_FAULT], 0);
    assert_int_equal(vcpu.in_guest, 0);
}

static void test_recent_exits(void **state)
{
    for (unsigned i = 0; i < 3; i++)
        then(EXIT_NMI, 0);
    then(EXIT_TRIPLE_FAULT, 0);
    run();
    assert_int_equal(host_log_count("guest.exits", "total=4 last=\"nmi nmi nmi triple-fault\""), 1);

    setup(NULL);
    loops = 40;
    then(EXIT_NMI, 0);
    then(EXIT_TRIPLE_FAULT, 0);
    run();
    assert_int_equal(host_log_count("guest.exits", "total=42"), 1);
}

static void send_start(void)
{
    vcpu_interrupt(&vcpu, 0x4600 | 0x9a);
}

static void expect_real_mode(void)
{
    assert_int_equal(guest.cs.selector, 0x9a00);
    assert_int_equal(guest.cs.base, 0x9a000);
    assert_int_equal(guest.rip, 0);
    assert_int_equal(guest.cr0 & CR0_PE, 0);
    assert_int_equal(guest.cs.attributes, 0x9b);
    assert_int_equal(guest.tr.attributes & 0xf, 0xb);
}

static void test_waits_for_sipi(void **state)
{
    vcpu.index = 1;
    vcpu.activity = VCPU_WAIT_FOR_SIPI;
    vcpu.registers[GUEST_R15] = 1;
    during_wait = send_start;
    run();
    assert_int_equal(waits, 1);
    expect_real_mode();
    assert_int_equal(vcpu.registers[GUEST_R15], 0);

    setup(NULL); /* the start-up IPI was faster than the core */
    vcpu.index = 1;
    vcpu.activity = VCPU_WAIT_FOR_SIPI;
    send_start();
    run();
    assert_int_equal(waits, 0);
    expect_real_mode();
}

static void stop_while_waiting(void)
{
    vcpu.stop_request = 1;
}

static void test_stopped_while_waiting(void **state)
{
    vcpu.index = 1;
    vcpu.activity = VCPU_WAIT_FOR_SIPI;
    during_wait = stop_while_waiting;
    run();
    assert_int_equal(loads, 0);
    assert_int_equal(stops, 0);
}

static void send_init(struct vcpu *target)
{
    vcpu_interrupt(target, 0x4500);
    before_exit = NULL;
}

static void test_init_restarts(void **state)
{
    then(EXIT_NMI, 0);
    before_exit = send_init;
    during_wait = send_start;
    run();
    assert_int_equal(loads, 2);
    assert_int_equal(unloads, 2);
    assert_int_equal(quiesces, 2); /* INIT resets the local APIC as the end does */
    assert_int_equal(debug_resets, 1);
    assert_int_equal(vcpu.registers[GUEST_RDX], cpuid(1, 0).eax); /* SDM 3A table 10-1 */
    expect_real_mode();
}

static void send_init_again(struct vcpu *target)
{
    if (waits < 20)
        vcpu_interrupt(target, 0x4500);
}

static void test_a_storm_of_starts_is_logged_by_powers_of_two(void **state)
{
    loops = 20;
    then(EXIT_NMI, 0);
    before_exit = send_init_again;
    during_wait = send_start;
    run();
    assert_int_equal(loads, 21);
    assert_int_equal(host_log_count("vcpu.entered", NULL), 5);
    assert_int_equal(host_log_count("vcpu.entered", "starts=16"), 1);
}

static void send_nmi_then_start(void)
{
    vcpu_interrupt(&vcpu, 0x4400);
    send_start();
}

static void test_no_nmi_while_waiting_for_sipi(void **state)
{
    vcpu.index = 1;
    vcpu.activity = VCPU_WAIT_FOR_SIPI;
    during_wait = send_nmi_then_start;
    then(EXIT_NMI, 0); /* the start-up IPI's kick */
    run();
    assert_int_equal(injections, 0);
}

/* The request and its NMI come after vcpu_run() has looked, before the back-end holds NMIs. */
static void test_stopped_while_loading(void **state)
{
    during_load = request_stop;
    then(EXIT_TRIPLE_FAULT, 0);
    run();
    assert_int_equal(loads, 1);
    assert_int_equal(stops, 0);
    assert_int_equal(vcpu.exits[EXIT_TRIPLE_FAULT], 0);
}

static void test_init_while_loading(void **state)
{
    during_load = send_init;
    during_wait = send_start;
    run();
    assert_int_equal(loads, 2);
    expect_real_mode();
}

static void test_nmi_while_loading(void **state)
{
    during_load = request_nmi;
    run();
    expect_injection(2, false);
}

static void test_load_fails(void **state)
{
    load_status = STATUS_DEVICE;
    run();
    assert_int_equal(stops, 1);
    assert_string_equal(stop_reason, "entry-failure");
    assert_string_equal(stop_detail, "device-error");
}

/* --- the owners of a core --- */

/* Both registers were written, and 1 is the command. */
static void expect_barrier(void)
{
    assert_true(commands[0] == 1 && commands[1] == 1);
    commands[0] = commands[1] = 0;
}

static void loaded_behind_a_barrier(struct vcpu *target)
{
    expect_barrier();
}

static void test_a_barrier_between_owners(void **state)
{
    core_barriers = (struct core_barriers){true, true, true};
    commands[0] = commands[1] = 0;
    during_load = loaded_behind_a_barrier;
    then(EXIT_TRIPLE_FAULT, 0);
    run();
    expect_barrier();

    setup(NULL); /* one that never got as far as the guest */
    load_status = STATUS_DEVICE;
    run();
    expect_barrier();
    core_barriers = (struct core_barriers){0};
}

static void test_no_barrier_where_the_cpu_has_none(void **state)
{
    core_barriers = (struct core_barriers){.buffers = true};
    then(EXIT_TRIPLE_FAULT, 0);
    run();
    assert_true(commands[0] == 0 && commands[1] == 0);
    core_barriers = (struct core_barriers){.predictors = true};
    setup(NULL);
    run();
    assert_true(commands[0] == 1 && commands[1] == 0);
    commands[0] = 0;
    core_barriers = (struct core_barriers){.cache = true};
    setup(NULL);
    run();
    assert_true(commands[0] == 0 && commands[1] == 1);
    core_barriers = (struct core_barriers){0};
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_nmi),
        CASE(test_held),
        CASE(test_stopped_while_held),
        CASE(test_recent_exits),
        CASE(test_waits_for_sipi),
        CASE(test_stopped_while_waiting),
        CASE(test_init_restarts),
        CASE(test_stopped_while_loading),
        CASE(test_init_while_loading),
        CASE(test_nmi_while_loading),
        CASE(test_load_fails),
        CASE(test_no_nmi_while_waiting_for_sipi),
        CASE(test_a_barrier_between_owners),
        CASE(test_no_barrier_where_the_cpu_has_none),
        CASE(test_a_storm_of_starts_is_logged_by_powers_of_two),
    };
    return cmocka_run_group_tests_name("vCPU run", tests, NULL, NULL);
}
