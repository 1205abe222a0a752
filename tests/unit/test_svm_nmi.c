/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/vcpu/svm/exit.c hypervisor/vcpu/svm/state.c hypervisor/vcpu/svm/nmi.c
// SOURCES: hypervisor/setup/svm_vmcb.c
/* A guest's NMIs under SVM, and RF of what is given to it. */
#include <string.h>

#include "hypervisor/setup/svm.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/registers.h"
#include "tests/unit/support/host.h"

#define IRET_INTERCEPT BIT(20) /* APM 2 table B-1, vector 3 */
#define NMI            0x80000202u

static struct vmcb vmcb;
static struct vcpu vcpu;
static struct svm_exit_context context = {.host_cr3 = 0x777000};
static struct vcpu_exit out;
static unsigned kicks;

void cpu_kick(struct cpu *cpu)
{
    kicks++;
}

static int setup(void **state)
{
    memset(&vcpu, 0, sizeof vcpu);
    svm_vmcb_init(&vmcb, 0x1000, 0x2000, 0x3000);
    vcpu.control_page = &vmcb;
    vmcb.rip = 0x1000;
    vmcb.rflags = 2;
    kicks = 0;
    memset(&out, 0xa5, sizeof out);
    return 0;
}

/* VMRUN delivers what is injected, and the guest goes on until this exit. */
static void exits(uint64_t code)
{
    vmcb.event_injection = 0;
    vmcb.exit_code = code;
    svm_exit_decode(&vcpu, &context, &out);
}

static void nmi(void)
{
    svm_inject(&vcpu, 2, false, 0);
}

/* In its handler; the next one has come. */
static void in_handler(void)
{
    nmi();
    assert_int_equal(vmcb.event_injection, NMI);
    assert_true(vmcb.intercept_1 & IRET_INTERCEPT);
    exits(SVM_EXIT_NMI);
    nmi();
    assert_int_equal(vmcb.event_injection, 0);
    assert_int_equal(vcpu.nmi_request, 1);
}

static void test_blocked_until_iret_is_done(void **state)
{
    in_handler();
    vmcb.dr6 = 0xffff0ff2;
    exits(0x74); /* taken before the IRET is carried out */
    assert_int_equal(out.kind, EXIT_NMI);
    nmi();
    assert_int_equal(vmcb.event_injection, 0);
    assert_false(vmcb.intercept_1 & IRET_INTERCEPT); /* or it would not get on */
    assert_true(vmcb.rflags & BIT(8));
    assert_true(vmcb.interrupt_state & 1); /* an interrupt would push TF */
    exits(SVM_EXIT_NMI);                   /* a kick in between ends nothing */
    nmi();
    assert_int_equal(vmcb.event_injection, 0);
    vmcb.rflags = 0x202; /* IRET has loaded it */
    vmcb.interrupt_state = 0;
    vmcb.dr6 |= BIT(14);
    exits(0x41);
    assert_int_equal(out.kind, EXIT_NMI);
    assert_int_equal(vmcb.rflags, 0x202);
    assert_int_equal(vmcb.dr6, 0xffff0ff2);
    assert_int_equal(vmcb.intercept_exceptions, 0x60002);
    nmi();
    assert_int_equal(vmcb.event_injection, NMI);
    assert_int_equal(kicks, 0);
}

static void test_iret_that_faults_leaves_nmis_blocked(void **state)
{
    static const struct {
        unsigned vector;
        bool has_error;
    } faults[] = {{11, true}, {12, true}, {13, true}, {14, true}, {17, true}, {6, false}};
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
        setup(NULL);
        in_handler();
        exits(0x74);
        assert_true(vmcb.intercept_exceptions & 1u << faults[i].vector);
        vmcb.exit_info_1 = 0x18;
        vmcb.exit_info_2 = 0x7000;
        exits(0x40 + faults[i].vector);
        assert_int_equal(out.kind, EXIT_EXCEPTION);
        assert_int_equal(out.exception.vector, faults[i].vector);
        assert_int_equal(out.exception.has_error, faults[i].has_error);
        assert_int_equal(out.exception.error, faults[i].has_error ? 0x18 : 0);
        assert_int_equal(vmcb.cr2, faults[i].vector == 14 ? 0x7000 : 0);
        assert_false(vmcb.rflags & BIT(8));
        assert_int_equal(vmcb.interrupt_state, 0);
        assert_int_equal(vmcb.intercept_exceptions, 0x60002);
        assert_true(vmcb.intercept_1 & IRET_INTERCEPT);
        nmi();
        assert_int_equal(vmcb.event_injection, 0);
    }
}

/* The guest steps through its handler itself, or has a breakpoint on the frame. */
static void test_the_guests_own_debug_trap(void **state)
{
    for (unsigned own = 0; own < 2; own++) {
        setup(NULL);
        in_handler();
        vmcb.rflags = own ? 0x102 : 2;
        vmcb.dr6 = 0xffff0ff0;
        exits(0x74);
        vmcb.rflags = 2;
        vmcb.dr6 |= BIT(14) | (own ? 0 : 4);
        exits(0x41);
        assert_int_equal(out.kind, EXIT_EXCEPTION);
        assert_int_equal(out.exception.vector, 1);
        assert_int_equal(vmcb.dr6, own ? 0xffff4ff0 : 0xffff0ff4);
        assert_int_equal(kicks, 1); /* the NMI that waits comes behind it */
        svm_inject(&vcpu, 1, false, 0);
        exits(SVM_EXIT_NMI);
        nmi();
        assert_int_equal(vmcb.event_injection, NMI);
    }
}

/* What cannot be injected now is triggered again: by the core's own NMI behind VMRUN. */
static void test_nmi_behind_another_event(void **state)
{
    static const uint64_t events[] = {0x80000030, 0x80000b0d};
    for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
        setup(NULL);
        vmcb.event_injection = events[i];
        nmi();
        assert_true(vmcb.event_injection == events[i]);
        assert_int_equal(vcpu.nmi_request, 1);
        assert_int_equal(kicks, 1);
        exits(SVM_EXIT_NMI);
        nmi();
        assert_int_equal(vmcb.event_injection, NMI);
    }
}

static void test_restart_blocks_nothing(void **state)
{
    in_handler();
    svm_vmcb_restart(&vmcb);
    nmi();
    assert_int_equal(vmcb.event_injection, NMI);
    exits(0x74);
    svm_vmcb_restart(&vmcb);
    assert_int_equal(vmcb.intercept_exceptions, 0x60002);
    nmi();
    assert_int_equal(vmcb.event_injection, NMI);
}

static void test_faults_push_rf(void **state)
{
    for (unsigned vector = 0; vector < 32; vector++) {
        bool fault =
            vector != 1 && vector != 2 && vector != 3 && vector != 4 && vector != 8 && vector != 18;
        setup(NULL);
        svm_inject(&vcpu, (uint8_t)vector, false, 0);
        assert_int_equal(vmcb.rflags, fault ? 0x10002 : 2);
    }
    setup(NULL);
    vmcb.event_injection = 0x80000030; /* what is not delivered pushes nothing */
    svm_inject(&vcpu, 6, false, 0);
    assert_int_equal(vmcb.rflags, 2);
    vmcb.rflags = 0x10002;
    svm_set_rip(&vcpu, 0x1002); /* the next instruction meets its breakpoint */
    assert_int_equal(vmcb.rflags, 2);
}

#define CASE(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_blocked_until_iret_is_done), CASE(test_iret_that_faults_leaves_nmis_blocked),
        CASE(test_the_guests_own_debug_trap),  CASE(test_nmi_behind_another_event),
        CASE(test_restart_blocks_nothing),     CASE(test_faults_push_rf),
    };
    return cmocka_run_group_tests_name("SVM NMIs", tests, NULL, NULL);
}
