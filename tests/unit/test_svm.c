/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/vcpu/svm/exit.c hypervisor/vcpu/svm/state.c hypervisor/vcpu/svm/nmi.c
// SOURCES: hypervisor/setup/svm_vmcb.c
#include <string.h>

#include "hypervisor/setup/svm.h"
#include "hypervisor/setup/svm_intercepts.h"
#include "hypervisor/x86/registers.h"
#include "tests/unit/support/host.h"

static struct vmcb vmcb;
static struct vcpu vcpu;
static struct svm_exit_context context;
static struct vcpu_exit out;

static unsigned kicks;

void cpu_kick(struct cpu *cpu)
{
    kicks++;
}

static int setup(void **state)
{
    kicks = 0;
    memset(&vcpu, 0, sizeof vcpu);
    svm_vmcb_init(&vmcb, 0x1000, 0x2000, 0x3000);
    vcpu.control_page = &vmcb;
    vmcb.rip = 0x1000;
    vmcb.cr3 = 0x5000;
    context = (struct svm_exit_context){.has_next_rip = false, .host_cr3 = 0x777000};
    memset(&out, 0xa5, sizeof out);
    return 0;
}

static void exits(uint64_t code)
{
    vmcb.exit_code = code;
    svm_exit_decode(&vcpu, &context, &out);
}

static void test_kinds(void **state)
{
    static const struct {
        uint64_t code;
        enum exit_kind kind;
    } kinds[] = {
        {0x61, EXIT_NMI},
        {0x63, EXIT_INIT},
        {0x72, EXIT_CPUID},
        {0x73, EXIT_UNDEFINED},
        {0x76, EXIT_INVD},
        {0x7a, EXIT_UNDEFINED},
        {0x7b, EXIT_IO},
        {0x7c, EXIT_MSR_READ},
        {0x7d, EXIT_TASK_SWITCH},
        {0x7f, EXIT_TRIPLE_FAULT},
        {0x80, EXIT_UNDEFINED},
        {0x81, EXIT_HYPERCALL},
        {0x82, EXIT_UNDEFINED},
        {0x83, EXIT_UNDEFINED},
        {0x84, EXIT_UNDEFINED},
        {0x85, EXIT_UNDEFINED},
        {0x86, EXIT_UNDEFINED},
        {0x89, EXIT_INVD},
        {0x8a, EXIT_UNDEFINED},
        {0x8b, EXIT_UNDEFINED},
        {0x8c, EXIT_UNDEFINED},
        {0x8d, EXIT_XSETBV},
        {0x8e, EXIT_UNDEFINED},
        {0x400, EXIT_MEMORY},
        {0x60, EXIT_OTHER},
        {0x78, EXIT_OTHER},
        {0x10, EXIT_OTHER},
        {0x04, EXIT_CONTROL_REGISTER},
        {0x14, EXIT_CONTROL_REGISTER},
        {0x13, EXIT_OTHER},
        {0x8f, EXIT_OTHER},
        {0x401, EXIT_OTHER},
        {UINT64_MAX - 1, EXIT_OTHER},
    };
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        exits(kinds[i].code);
        if (out.kind != kinds[i].kind)
            print_message("code %#llx\n", (unsigned long long)kinds[i].code);
        assert_int_equal(out.kind, kinds[i].kind);
        assert_true(out.reason == kinds[i].code);
        assert_null(out.detail);
    }
    vmcb.exit_info_1 = 1;
    exits(0x7c);
    assert_int_equal(out.kind, EXIT_MSR_WRITE);
    assert_int_equal(out.qualification, 1);
}

static void test_lengths(void **state)
{
    vmcb.next_rip = 0x1002;
    exits(SVM_EXIT_CPUID);
    assert_int_equal(svm_instruction_length(&vmcb, &context),
                     0); /* the field is not there without NRIPS */
    context.has_next_rip = true;
    exits(SVM_EXIT_CPUID);
    assert_int_equal(svm_instruction_length(&vmcb, &context), 2);
    vmcb.next_rip = 0x900;
    exits(SVM_EXIT_CPUID);
    assert_int_equal(svm_instruction_length(&vmcb, &context), 0);
    context.has_next_rip = false;
    vmcb.exit_info_2 = 0x1001;
    exits(SVM_EXIT_IOIO);
    assert_int_equal(svm_instruction_length(&vmcb, &context), 1);
}

static void test_io(void **state)
{
    static const struct {
        uint64_t info;
        unsigned port, width;
        bool input, string, repeat;
    } cases[] = {
        {0x03f80010, 0x3f8, 1, false, false, false}, {0x0cfc0041, 0xcfc, 4, true, false, false},
        {0x01f00021, 0x1f0, 2, true, false, false},  {0x01f0002d, 0x1f0, 2, true, true, true},
        {0xffff0014, 0xffff, 1, false, true, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        vmcb.exit_info_1 = cases[i].info;
        exits(SVM_EXIT_IOIO);
        assert_int_equal(out.io.port, cases[i].port);
        assert_int_equal(out.io.width, cases[i].width);
        assert_int_equal(out.io.input, cases[i].input);
        assert_int_equal(out.io.string, cases[i].string);
        assert_int_equal(out.io.repeat, cases[i].repeat);
    }
}

static void test_memory(void **state)
{
    static const struct {
        uint64_t info, event;
        bool read, write, execute, misconfigured;
    } cases[] = {
        {BIT(32) | 0x4, 0, true, false, false, false},
        {BIT(32) | 0x6, 0, false, true, false, false},
        {BIT(32) | 0x14, 0, false, false, true, false},
        {BIT(32) | 0xd, 0, true, false, false, true},
        {BIT(33) | 0x6, 0, false, false, false, false}, /* the guest's page table */
        {BIT(32) | 0x6, EVENT_VALID | 0x30, false, false, false, false}, /* its stack */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        vmcb.exit_info_1 = cases[i].info;
        vmcb.exit_info_2 = 0xb0000040;
        vmcb.exit_int_info = cases[i].event;
        exits(SVM_EXIT_NPF);
        assert_int_equal(out.memory.address, 0xb0000040);
        assert_int_equal(out.memory.read, cases[i].read);
        assert_int_equal(out.memory.write, cases[i].write);
        assert_int_equal(out.memory.execute, cases[i].execute);
        assert_int_equal(out.memory.misconfigured, cases[i].misconfigured);
    }
}

static void test_exceptions(void **state)
{
    vmcb.exit_info_1 = 0;
    exits(0x41);
    assert_int_equal(out.kind, EXIT_EXCEPTION);
    assert_int_equal(out.exception.vector, 1);
    assert_false(out.exception.has_error);
    exits(0x51);
    assert_int_equal(out.exception.vector, 17);
    assert_true(out.exception.has_error);
    exits(SVM_EXIT_RDPMC); /* no counters: #GP(0) */
    assert_int_equal(out.kind, EXIT_EXCEPTION);
    assert_int_equal(out.exception.vector, 13);
    assert_true(out.exception.has_error);
    assert_int_equal(out.exception.error, 0);
}

static void test_events_are_delivered_again(void **state)
{
    static const struct {
        uint64_t interrupted, again;
    } cases[] = {
        {0, 0},
        {0x30, 0},                                  /* not valid */
        {EVENT_VALID | 0x30, EVENT_VALID | 0x30},   /* interrupt */
        {EVENT_VALID | 0x330, EVENT_VALID | 0x30},  /* TCG's idea of one */
        {EVENT_VALID | 0x202, EVENT_VALID | 0x202}, /* NMI */
        {UINT64_C(0x200000000) | EVENT_VALID | 0xb0e, UINT64_C(0x200000000) | EVENT_VALID | 0xb0e},
        {EVENT_VALID | 0x303, 0}, /* INT3: executed again */
        {EVENT_VALID | 0x304, 0}, /* INTO */
        {EVENT_VALID | 0x480, 0}, /* INT n */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        vmcb.exit_int_info = cases[i].interrupted;
        vmcb.event_injection = UINT64_MAX;
        exits(SVM_EXIT_NMI);
        assert_true(vmcb.event_injection == cases[i].again);
    }
}

/* VMEXIT_INVALID: 32 or 64 bits of ones. A guest's own doing is answered with #GP, a state that
 * stays invalid is not tried for ever. */
static void test_invalid(void **state)
{
    exits(UINT32_MAX);
    assert_int_equal(out.kind, EXIT_EXCEPTION);
    assert_int_equal(out.exception.vector, 13);
    exits(SVM_EXIT_CPUID);
    for (unsigned i = 1; i < 4096; i++) {
        exits(UINT64_MAX);
        assert_int_equal(out.kind, EXIT_EXCEPTION);
    }
    exits(UINT64_MAX);
    assert_int_equal(out.kind, EXIT_ENTRY_FAILURE);

    setup(NULL);
    vmcb.cr3 = context.host_cr3;
    exits(UINT64_MAX);
    assert_int_equal(out.kind, EXIT_ENTRY_FAILURE);
    assert_non_null(strstr(out.detail, "host"));

    setup(NULL);
    vmcb.cr0 = CR0_NW;
    exits(UINT64_MAX);
    assert_int_equal(out.kind, EXIT_ENTRY_FAILURE);
    assert_string_equal(out.detail, "CR0.NW without CR0.CD");
}

static void test_state_round_trip(void **state)
{
    struct vcpu_state in, back;
    memset(&in, 0, sizeof in);
    in.rip = 0xffffffff81000000;
    in.rsp = 0x1234;
    in.rflags = 0x202;
    in.cr0 = CR0_PE | CR0_PG | CR0_WP | CR0_ET;
    in.cr2 = 0x5555;
    in.cr3 = 0x8000;
    in.cr4 = CR4_PAE;
    in.efer = EFER_LME | EFER_LMA | EFER_SCE;
    in.cs = (struct vcpu_segment){0x10, 0xa09b, false, UINT32_MAX, 0};
    in.ss = (struct vcpu_segment){0x1b, 0xc0f3, false, UINT32_MAX, 0};
    in.ds = in.es = (struct vcpu_segment){0x18, 0xc093, false, UINT32_MAX, 0};
    in.fs = (struct vcpu_segment){0, 0xc093, false, UINT32_MAX, 0x7f0000001000};
    in.gs = (struct vcpu_segment){0, 0xc093, false, UINT32_MAX, 0xffff888000000000};
    in.tr = (struct vcpu_segment){0x40, 0x008b, false, 0x67, 0xfffffe0000003000};
    in.ldtr = (struct vcpu_segment){0, 0x0002, true, 0xffff, 0};
    in.gdtr_base = 0xfffffe0000001000;
    in.gdtr_limit = 0x7f;
    in.idtr_base = 0xfffffe0000000000;
    in.idtr_limit = 0xfff;
    in.dr7 = 0x400;
    svm_write_state(&vcpu, &in);
    assert_int_equal(vmcb.cs.attributes, 0xa9b);
    assert_int_equal(vmcb.cpl, 3);
    assert_int_equal(svm_cpl(&vcpu), 3);
    assert_true(vmcb.efer & EFER_SVME);
    svm_read_state(&vcpu, &back);
    const struct vcpu_segment *segments = &in.cs, *back_segments = &back.cs;
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(segments[i].selector, back_segments[i].selector);
        assert_int_equal(segments[i].attributes, back_segments[i].attributes);
        assert_int_equal(segments[i].unusable, back_segments[i].unusable);
        assert_int_equal(segments[i].limit, back_segments[i].limit);
        assert_true(segments[i].base == back_segments[i].base);
    }
    assert_memory_equal(&in, &back, offsetof(struct vcpu_state, cs));
    assert_true(back.gdtr_base == in.gdtr_base && back.gdtr_limit == in.gdtr_limit);
    assert_true(back.idtr_base == in.idtr_base && back.idtr_limit == in.idtr_limit);
    assert_int_equal(back.dr7, in.dr7);
    assert_true(back.rip == in.rip);
    assert_true(back.cr4 == CR4_PAE && !svm_osxsave(&vcpu));
    vmcb.cr4 |= CR4_OSXSAVE;
    assert_true(svm_osxsave(&vcpu));
    vmcb.cr4 &= ~CR4_OSXSAVE;

    in.cr0 = CR0_PE | CR0_ET; /* LMA follows paging */
    svm_write_state(&vcpu, &in);
    assert_int_equal(vmcb.efer, EFER_LME | EFER_SCE | EFER_SVME);
    in.cr0 = CR0_ET;
    svm_write_state(&vcpu, &in);
    assert_int_equal(vmcb.cpl, 0); /* real mode has no other */
}

/* The guest sees CR4.MCE as it wrote it; the CPU runs with the host's. */
static void test_machine_checks_stay_on(void **state)
{
    static const struct {
        uint64_t host, guest, real;
    } cases[] = {{CR4_MCE, 0, CR4_MCE}, {CR4_MCE, CR4_MCE, CR4_MCE}, {0, CR4_MCE, 0}, {0, 0, 0}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct vcpu_state in = {.cr4 = CR4_PAE | cases[i].guest}, back;
        vcpu.svm.host_mce = cases[i].host;
        svm_write_state(&vcpu, &in);
        assert_int_equal(vmcb.cr4, CR4_PAE | cases[i].real);
        svm_read_state(&vcpu, &back);
        assert_int_equal(back.cr4, in.cr4);
    }
    assert_int_equal(vmcb.intercept_cr, 0x00100010); /* CR4: both ways */
    exits(SVM_EXIT_WRITE_CR4);
    assert_true(out.control.write && out.control.number == 4);
    exits(SVM_EXIT_READ_CR4);
    assert_true(!out.control.write && out.control.number == 4);
}

/* An interrupt into a kernel leaves the attributes of the user's stack segment behind. */
static void test_level_is_not_the_stacks(void **state)
{
    struct vcpu_state back;
    vmcb.ss.attributes = 0xcf3;
    vmcb.cpl = 0;
    svm_read_state(&vcpu, &back);
    assert_int_equal(back.ss.attributes, 0xc093);
}

static void test_start_states_are_valid(void **state)
{
    vmcb.cr0 = 0;
    assert_null(svm_state_fault(&vmcb));
    vmcb.efer = 0;
    assert_non_null(svm_state_fault(&vmcb));
    vmcb.efer = EFER_SVME | EFER_LME;
    vmcb.cr0 = CR0_PE | CR0_PG;
    assert_string_equal(svm_state_fault(&vmcb), "long mode without CR4.PAE");
    vmcb.cr4 = CR4_PAE;
    assert_null(svm_state_fault(&vmcb));
    vmcb.cs.attributes = 0x600;
    assert_string_equal(svm_state_fault(&vmcb), "CS is both 64-bit and 32-bit");
    vmcb.cs.attributes = 0;
    vmcb.event_injection = EVENT_VALID | 0x320;
    assert_string_equal(svm_state_fault(&vmcb), "the injected event is not an exception");
}

static void test_controls(void **state)
{
    assert_int_equal(vmcb.intercept_1 & 1u, 0);         /* INTR is the guest's */
    assert_int_equal(vmcb.intercept_1 & (1u << 24), 0); /* HLT too */
    assert_int_equal(vmcb.virtual_interrupt, 0);
    assert_true(vmcb.intercept_1 & INTERCEPT_NMI);
    assert_true(vmcb.intercept_1 & INTERCEPT_MSR);
    assert_true(vmcb.intercept_1 & INTERCEPT_IOIO);
    assert_true(vmcb.intercept_1 & INTERCEPT_SHUTDOWN);
    /* VMRUN .. SKINIT without RDTSCP and ICEBP; WBINVD, MONITOR, MWAIT, XSETBV, RDPRU */
    assert_int_equal(vmcb.intercept_2, 0x6e7f);
    assert_int_equal(vmcb.intercept_exceptions, 0x60002);
    assert_int_equal(vmcb.asid, 1);
    assert_int_equal(vmcb.nested_control, 1);
    assert_int_equal(vmcb.nested_cr3, 0x3000);
    assert_int_equal(vmcb.msrpm_base, 0x1000);
    assert_int_equal(vmcb.iopm_base, 0x2000);
}

/* What no start state carries does not reach the next run. */
static void test_restart(void **state)
{
    struct vmcb fresh;
    svm_vmcb_init(&fresh, 0x1000, 0x2000, 0x3000);
    svm_vmcb_init(&vmcb, 0x1000, 0x2000, 0x3000);
    memset(&vmcb.system_call, 0xa5, sizeof vmcb.system_call);
    vmcb.event_injection = 0x80000030;
    vmcb.interrupt_state = 1;
    vmcb.guest_pat = 0;
    vmcb.dr6 = 0xffff4ff1;
    vmcb.tlb_control = 0;
    svm_vmcb_restart(&vmcb);
    assert_memory_equal(&vmcb, &fresh, sizeof vmcb);
}

static void test_injection(void **state)
{
    svm_inject(&vcpu, 13, true, 0x50);
    assert_true(vmcb.event_injection == (UINT64_C(0x50) << 32 | 0x80000b0d));
    svm_inject(&vcpu, 6, false, 0);
    assert_true(vmcb.event_injection == 0x80000306);
    vmcb.event_injection = 0;
    svm_inject(&vcpu, 2, false, 0);
    assert_true(vmcb.event_injection == 0x80000202);
    svm_inject(&vcpu, 17, true, 0); /* nor may an exception */
    assert_true(vmcb.event_injection == 0x80000202);
    vmcb.event_injection = 0x80000030;
    svm_inject(&vcpu, 1, false, 0);
    assert_true(vmcb.event_injection == 0x80000030);
    vmcb.interrupt_state = 1;
    svm_set_rip(&vcpu, 0x2000);
    assert_int_equal(vmcb.interrupt_state, 0);
    assert_int_equal(vmcb.rip, 0x2000);
    vmcb.event_injection = 0;
    vmcb.rflags = BIT(8); /* single step over an emulated instruction */
    svm_set_rip(&vcpu, 0x2002);
    assert_true(vmcb.event_injection == 0x80000301);
    assert_true(vmcb.dr6 & BIT(14));
    svm_flush_memory(&vcpu);
    assert_int_equal(vmcb.tlb_control, 1);
}

#define CASE(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_machine_checks_stay_on),
        CASE(test_level_is_not_the_stacks),
        CASE(test_kinds),
        CASE(test_lengths),
        CASE(test_io),
        CASE(test_memory),
        CASE(test_exceptions),
        CASE(test_events_are_delivered_again),
        CASE(test_invalid),
        CASE(test_state_round_trip),
        CASE(test_start_states_are_valid),
        CASE(test_controls),
        CASE(test_injection),
        CASE(test_restart),
    };
    return cmocka_run_group_tests_name("SVM", tests, NULL, NULL);
}
