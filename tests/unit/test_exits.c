/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/vcpu/svm/handle.c hypervisor/vcpu/svm/length.c hypervisor/vcpu/run.c
// SOURCES: hypervisor/vcpu/policy/control_registers.c hypervisor/vcpu/emulate/instruction.c
// SOURCES: hypervisor/vcpu/emulate/memory.c hypervisor/setup/cpuid_policy.c hypervisor/vcpu/exits.c
// SOURCES: hypervisor/vcpu/emulate/fetch.c hypervisor/vcpu/policy/cpuid.c hypervisor/vcpu/report.c
// SOURCES: hypervisor/x86/machine_check.c hypervisor/vcpu/policy/msr.c hypervisor/vcpu/registers.c
// SOURCES: hypervisor/vcpu/exit_kind.c hypervisor/vcpu/interrupt.c hypervisor/vcpu/selected.c
// SOURCES: hypervisor/vcpu/resume.c hypervisor/base/format.c hypervisor/base/string.c
// SOURCES: hypervisor/base/status.c hypervisor/vcpu/state.c hypervisor/base/text.c
// SOURCES: hypervisor/vcpu/barrier.c
/* The dispatcher, one kind of exit after the other. */
#include "tests/unit/support/fake_vcpu.h"

static void test_cpuid(void **state)
{
    vcpu.registers[GUEST_RAX] = UINT64_C(0xdeadbeef00000000) | ABI_CPUID_SIGNATURE;
    vcpu.registers[GUEST_RBX] = vcpu.registers[GUEST_RCX] = UINT64_MAX;
    then(EXIT_CPUID, 2);
    run();
    expect_rip(0x1002);
    assert_true(vcpu.registers[GUEST_RBX] == 0x6b6c7542); /* "Bulk", upper half clear */
    assert_int_equal(vcpu.exits[EXIT_CPUID], 1);
}

static void test_cpuid_length_from_code(void **state)
{
    memory[0x1000] = 0x66;
    memory[0x1001] = 0x0f;
    memory[0x1002] = 0xa2;
    then(EXIT_CPUID, 0);
    run();
    expect_rip(0x1003);
}

static void test_length_cannot_be_told(void **state)
{
    vcpu.start.rip = sizeof memory; /* the code is not in memory */
    then(EXIT_CPUID, 0);
    loops = VCPU_RETRIES;
    run();
    assert_int_equal(stops, 1);
    assert_string_equal(stop_reason, "unhandled-exit");
    assert_int_equal(flushes, VCPU_RETRIES);
}

static void code_is_back(struct vcpu *target)
{
    if (io_count == 0 && flushes > 0)
        memory[0x1000] = 0xe6; /* out imm8, al */
}

/* Another vCPU takes the code away meanwhile: nothing has been done that would be done twice. */
static void test_code_is_taken_away(void **state)
{
    then(EXIT_IO, 0)->io.width = 1;
    loops = 1;
    memset(memory + 0x1000, 0x66, 15); /* prefixes only: no instruction */
    before_exit = code_is_back;
    run();
    assert_int_equal(io_count, 1);
    assert_int_equal(flushes, 1);
    expect_rip(0x1002);
}

static void test_msr(void **state)
{
    vcpu.registers[GUEST_RCX] = 0xffffffff00000000 | MSR_APIC_BASE;
    vcpu.registers[GUEST_RAX] = vcpu.registers[GUEST_RDX] = UINT64_MAX;
    then(EXIT_MSR_READ, 2);
    script[0].kind = EXIT_MSR_READ;
    vcpu_run(&vcpu);
    assert_true(vcpu.registers[GUEST_RDX] == 0);
    expect_rip(0x1002);

    setup(NULL);
    vcpu.registers[GUEST_RCX] = MSR_EFER;
    vcpu.registers[GUEST_RAX] = EFER_LME | EFER_NXE;
    then(EXIT_MSR_WRITE, 2);
    run();
    expect_rip(0x1002);
    assert_true(guest.efer == (EFER_LME | EFER_NXE));
}

static void test_msr_denied(void **state)
{
    vcpu.registers[GUEST_RCX] = 0x480;
    then(EXIT_MSR_READ, 2);
    run();
    expect_injection(13, true);
    setup(NULL);
    vcpu.registers[GUEST_RCX] = 0x79;
    then(EXIT_MSR_WRITE, 2);
    run();
    expect_injection(13, true);
    setup(NULL);
    vcpu_state_sipi(&vcpu.start, 1); /* real mode pushes no error code */
    vcpu.start.rip = 0x1000;
    vcpu.registers[GUEST_RCX] = 0x79;
    then(EXIT_MSR_WRITE, 2);
    run();
    expect_injection(13, false);
}

static void io_exit(uint8_t width, bool input, uint64_t rax)
{
    setup(NULL);
    struct vcpu_exit *exit = then(EXIT_IO, 1);
    exit->io.port = 0x3f8;
    exit->io.width = width;
    exit->io.input = input;
    vcpu.registers[GUEST_RAX] = rax;
}

static void test_io(void **state)
{
    static const struct {
        uint8_t width;
        bool there;
        uint64_t rax;
    } reads[] = {
        {1, true, 0x1122334455667755},  {2, true, 0x1122334455665555},  {4, true, 0x55555555},
        {1, false, 0x11223344556677ff}, {2, false, 0x112233445566ffff}, {4, false, 0xffffffff},
    };
    for (size_t i = 0; i < ARRAY_SIZE(reads); i++) {
        io_exit(reads[i].width, true, 0x1122334455667788);
        io_value = 0x55555555;
        io_there = reads[i].there;
        before_exit = keep_rax;
        run();
        expect_rip(0x1001);
        assert_true(rax_before_call == reads[i].rax);
        assert_int_equal(io_port, 0x3f8);
    }
    io_exit(2, false, 0x1122334455667788);
    run();
    assert_int_equal(io_value, 0x7788);
    io_exit(1, false, 0x88);
    script[0].io.string = true;
    run();
    expect_injection(13, true);
    assert_int_equal(io_count, 0);
}

static void test_hypercall(void **state)
{
    vcpu.registers[GUEST_RAX] = ABI_EVENT;
    then(EXIT_HYPERCALL, 3);
    run();
    expect_rip(0x1003);
    setup(NULL);
    vcpu.start.ss.attributes |= 3 << 5; /* a user program */
    vcpu.registers[GUEST_RAX] = ABI_EXIT;
    then(EXIT_HYPERCALL, 3);
    then(EXIT_TRIPLE_FAULT, 0);
    run();
    assert_int_equal(injected_vector, 6);
    assert_string_equal(stop_reason, "triple-fault");
}

static void test_undefined_and_invd(void **state)
{
    then(EXIT_UNDEFINED, 3);
    run();
    expect_injection(6, false);
    setup(NULL);
    then(EXIT_INVD, 2);
    run();
    expect_rip(0x1002);
}

static void test_fatal_kinds(void **state)
{
    static const struct {
        enum exit_kind kind;
        const char *reason;
        const char *detail;
    } fatal[] = {
        {EXIT_TRIPLE_FAULT, "triple-fault", "rip=0x1000"},
        {EXIT_INIT, "init", ""},
        {EXIT_HLT, "unhandled-exit", "kind=hlt"},
        {EXIT_TASK_SWITCH, "task-switch", ""},
        {EXIT_ENTRY_FAILURE, "entry-failure", "not known why (reason=0x21"},
        {EXIT_OTHER, "unhandled-exit", "reason=0x21"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(fatal); i++) {
        setup(NULL);
        then(fatal[i].kind, 0)->reason = 0x21;
        run();
        expect_stop(fatal[i].reason, fatal[i].detail);
    }
    setup(NULL);
    then(EXIT_ENTRY_FAILURE, 0)->detail = "CR0.NW without CR0.CD";
    run();
    expect_stop("entry-failure", "CR0.NW without CR0.CD");
}

/* Every kind has a name and a handler that comes back. */
static void test_every_kind(void **state)
{
    for (unsigned kind = 0; kind < EXIT_KINDS; kind++) {
        setup(NULL);
        assert_string_not_equal(exit_kind_name(kind), "unknown");
        then(kind, 2);
        run();
        assert_int_equal(vcpu.exits[kind], kind == EXIT_HYPERCALL ? 2 : 1);
    }
    assert_string_equal(exit_kind_name(EXIT_KINDS), "unknown");
}

static void test_exceptions(void **state)
{
    struct vcpu_exit *exit = then(EXIT_EXCEPTION, 0);
    exit->exception.vector = 17;
    exit->exception.has_error = true;
    run();
    expect_injection(17, true);

    setup(NULL);
    then(EXIT_EXCEPTION, 0)->exception.vector = 1;
    loops = 100000;
    script_at = 1;
    run(); /* as many as a debugger could cause */
    assert_int_equal(stops, 0);
    assert_int_equal(injections, 100000);

    setup(NULL);
    then(EXIT_EXCEPTION, 0)->exception.vector = 1;
    loops = 1000000;
    run();
    expect_stop("exception-storm", "vector=1");
    assert_int_equal(injections, 100000);
}

static void machine_check(uint64_t status, uint64_t global)
{
    setup(NULL);
    bank_status = status;
    machine_check_global = global;
    then(EXIT_EXCEPTION, 0)->exception.vector = 18;
    run();
    assert_int_equal(injections, 0);
    assert_int_equal(bank_status | machine_check_global, 0); /* the next one finds room */
}

static void test_machine_check(void **state)
{
    const uint64_t pending = MCG_STATUS_PENDING, restarts = pending | MCG_STATUS_RESTARTS;
    const uint64_t hit = restarts | MCG_STATUS_AT_RIP;
    const uint64_t consumed = UINT64_C(0xb180000000000000), corrupt = UINT64_C(0xb200000000000000);
    machine_check(consumed, hit);
    expect_stop("machine-check", "hardware reported");
    assert_false(cpu.corrupt);
    machine_check(corrupt, hit);
    expect_stop("machine-check", "not used again");
    assert_true(cpu.corrupt);
    machine_check(0, pending); /* nowhere to go on */
    expect_stop("machine-check", "");
    assert_false(cpu.corrupt);

    setup(NULL); /* another core's: the guest goes on where it was */
    machine_check_global = restarts;
    then(EXIT_EXCEPTION, 0)->exception.vector = 18;
    then(EXIT_INVD, 2);
    run();
    expect_rip(0x1002);
    assert_int_equal(stops, 0);

    setup(NULL); /* it made the entry fail, and had no exit of its own */
    bank_status = consumed;
    machine_check_global = hit;
    then(EXIT_ENTRY_FAILURE, 0)->reason = 0x80000029;
    run();
    expect_stop("machine-check", "");
    setup(NULL);
    machine_check_global = restarts;
    then(EXIT_TRIPLE_FAULT, 0);
    run();
    expect_stop("triple-fault", "");

    setup(NULL); /* MCG_STATUS cannot be cleared: one report all the same */
    global_sticks = true;
    machine_check_global = pending;
    then(EXIT_TRIPLE_FAULT, 0);
    run();
    expect_stop("machine-check", "hardware reported");
}

/* Another exit in between begins the count again. */
static void test_exception_run_ends(void **state)
{
    for (unsigned i = 0; i < 12; i++)
        then(i % 3 == 2 ? EXIT_INVD : EXIT_EXCEPTION, 2)->exception.vector = 1;
    run();
    assert_int_equal(injections, 8);
    assert_int_equal(vcpu.exception_run, 2);
}

/* --- control registers and XCR0 --- */

static void control(uint8_t number, uint8_t source, uint64_t value)
{
    setup(NULL);
    struct vcpu_exit *exit = then(EXIT_CONTROL_REGISTER, 3);
    exit->control.number = number;
    exit->control.source = source;
    exit->control.write = true;
    if (source < GUEST_REGISTERS)
        vcpu.registers[source] = value;
}

static void test_cr0(void **state)
{
    control(0, GUEST_RBX, CR0_PE | CR0_NE | BIT(6));
    run();
    expect_rip(0x1003);
    assert_int_equal(guest.cr0, CR0_PE | CR0_NE | CR0_ET); /* undefined bits are ignored */
    assert_int_equal(flushes, 1);

    control(0, GUEST_RBX, CR0_PE | CR0_PG | CR0_NE);
    vcpu.start.cr4 = CR4_PAE;
    vcpu.start.efer = EFER_LME;
    run();
    assert_int_equal(guest.efer, EFER_LME | EFER_LMA);

    control(0, GUEST_RBX, CR0_PE);
    vcpu.start.cr0 = CR0_PE | CR0_PG;
    vcpu.start.efer = EFER_LME | EFER_LMA;
    vcpu.start.cr4 = CR4_PAE;
    run();
    assert_int_equal(guest.efer, EFER_LME);

    static const uint64_t bad[] = {CR0_PG, CR0_PE | CR0_NW, BIT(32) | CR0_PE, UINT64_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        control(0, GUEST_RBX, bad[i]);
        run();
        assert_int_equal(injected_vector, 13);
        assert_int_equal(guest.cr0, CR0_PE | CR0_ET);
        assert_int_equal(guest.rip, 0x1000);
    }
    control(0, GUEST_RBX, CR0_PE | CR0_PG); /* long mode without PAE */
    vcpu.start.efer = EFER_LME;
    run();
    expect_injection(13, true);
    control(0, GUEST_RBX, CR0_PE); /* paging off in 64-bit code */
    set_long_mode(0x1000);
    run();
    expect_injection(13, true);
}

static void test_cr4(void **state)
{
    control(4, GUEST_RSI, CR4_PAE | CR4_PGE | CR4_OSXSAVE);
    run();
    expect_rip(0x1003);
    assert_int_equal(guest.cr4, CR4_PAE | CR4_PGE | CR4_OSXSAVE);
    static const uint64_t bad[] = {CR4_VMXE, BIT(14), CR4_LA57, BIT(22), BIT(23), BIT(15), BIT(40)};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        control(4, GUEST_RSI, bad[i]);
        run();
        expect_injection(13, true);
    }
    control(4, GUEST_RSI, 0); /* PAE off in long mode */
    set_long_mode(0x1000);
    run();
    expect_injection(13, true);
    control(4, GUEST_RSI, CR4_PAE | BIT(17)); /* PCIDE outside long mode */
    run();
    expect_injection(13, true);
    control(4, GUEST_RSI, CR4_PAE | BIT(17));
    set_long_mode(0x1000);
    run();
    expect_rip(0x1003);
}

/* Where the CPU does not say which register was moved, the instruction does. */
static void test_control_register_in_code(void **state)
{
    static const uint8_t write_esi[] = {0x0f, 0x22, 0xe6}, read_ebx[] = {0x0f, 0x20, 0xe3};
    control(4, SOURCE_IN_CODE, 0);
    memcpy(memory + 0x1000, write_esi, sizeof write_esi);
    vcpu.registers[GUEST_RSI] = CR4_PAE | CR4_PGE;
    run();
    expect_rip(0x1003);
    assert_int_equal(guest.cr4, CR4_PAE | CR4_PGE);

    control(4, SOURCE_IN_CODE, 0);
    script[0].control.write = false;
    vcpu.start.cr4 = CR4_PAE;
    memcpy(memory + 0x1000, read_ebx, sizeof read_ebx);
    run();
    expect_rip(0x1003);
    assert_int_equal(vcpu.registers[GUEST_RBX], CR4_PAE);

    control(4, SOURCE_IN_CODE, 0); /* a sibling wrote something else there meanwhile */
    loops = VCPU_RETRIES;
    run();
    expect_stop("unhandled-exit", "control-register exit cannot be read");
}

static void test_cr4_is_read(void **state)
{
    control(4, GUEST_R12, 0);
    script[0].control.write = false;
    vcpu.start.cr4 = CR4_PAE;
    run();
    expect_rip(0x1003);
    assert_true(vcpu.registers[GUEST_R12] == CR4_PAE);
}

/* CR3 and CR8 are the guest's own: a CPU whose accesses to them exit is not as it was set up. */
static void test_other_control_registers_do_not_exit(void **state)
{
    static const struct {
        uint8_t number;
        bool write;
    } accesses[] = {{0, false}, {3, false}, {3, true}, {8, false}, {8, true}, {7, true}};
    for (size_t i = 0; i < ARRAY_SIZE(accesses); i++) {
        control(accesses[i].number, GUEST_RDI, 5);
        script[0].control.write = accesses[i].write;
        run();
        expect_stop("unhandled-exit", "which was not to exit");
        assert_int_equal(guest.cr3, vcpu.start.cr3);
    }
}

static void xsetbv(uint32_t index, uint64_t value, uint64_t cr4)
{
    setup(NULL);
    then(EXIT_XSETBV, 3);
    vcpu.start.cr4 = cr4;
    vcpu.registers[GUEST_RCX] = index;
    vcpu.registers[GUEST_RAX] = value & UINT32_MAX;
    vcpu.registers[GUEST_RDX] = value >> 32;
    run();
}

static void test_xsetbv(void **state)
{
    xsetbv(0, 7, CR4_OSXSAVE);
    expect_rip(0x1003);
    assert_int_equal(xcr0_written, 7);
    assert_int_equal(vcpu.xcr0, 7);
    xsetbv(0, 7, 0);
    expect_injection(6, false);
    xsetbv(1, 7, CR4_OSXSAVE);
    expect_injection(13, true);
    xsetbv(0, 6, CR4_OSXSAVE);
    expect_injection(13, true);
    xsetbv(0, 0xe7, CR4_OSXSAVE); /* the model has no AVX-512 */
    expect_injection(13, true);
    xsetbv(0, UINT64_C(7) << 32 | 7, CR4_OSXSAVE);
    expect_injection(13, true);
    assert_int_equal(xcr0_written, 0);
}

static void test_pvh_state(void **state)
{
    struct vcpu_state start;
    vcpu_state_pvh(&start, 0x100200);
    assert_int_equal(start.rip, 0x100200);
    assert_int_equal(start.cr0, CR0_PE | CR0_ET);
    assert_int_equal(start.cr4, 0);
    assert_int_equal(start.efer, 0);
    assert_int_equal(start.rflags, 2);
    assert_int_equal(start.cs.limit, UINT32_MAX);
    assert_int_equal(start.cs.base, 0);
    assert_int_equal(start.cs.attributes, 0xc09b);
    assert_int_equal(start.ds.attributes, 0xc093);
    assert_int_equal(start.tr.limit, 0x67);
    assert_int_equal(start.tr.attributes, 0x8b);
    assert_true(start.ldtr.unusable);
    assert_int_equal(start.dr7, 0x400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_cpuid),
        CASE(test_machine_check),
        CASE(test_control_register_in_code),
        CASE(test_cpuid_length_from_code),
        CASE(test_length_cannot_be_told),
        CASE(test_code_is_taken_away),
        CASE(test_msr),
        CASE(test_msr_denied),
        CASE(test_io),
        CASE(test_hypercall),
        CASE(test_undefined_and_invd),
        CASE(test_fatal_kinds),
        CASE(test_every_kind),
        CASE(test_exceptions),
        CASE(test_exception_run_ends),
        CASE(test_cr0),
        CASE(test_cr4),
        CASE(test_cr4_is_read),
        CASE(test_other_control_registers_do_not_exit),
        CASE(test_xsetbv),
        CASE(test_pvh_state),
    };
    return cmocka_run_group_tests_name("exits", tests, NULL, NULL);
}
