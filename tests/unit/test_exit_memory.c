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
/* Emulated memory: fetching the instruction through the guest's paging, and carrying it out. */
#include "tests/unit/support/fake_vcpu.h"

/* --- memory --- */

static struct vcpu_exit *memory_exit(const char *code, size_t size, bool write)
{
    setup(NULL);
    memcpy(memory + 0x1000, code, size);
    struct vcpu_exit *exit = then(EXIT_MEMORY, 0);
    exit->memory.address = 0xb0001004;
    exit->memory.write = write;
    exit->memory.read = !write;
    return exit;
}

static void test_memory_write(void **state)
{
    memory_exit("\x89\x18", 2, true); /* mov [eax], ebx */
    vcpu.registers[GUEST_RBX] = 0x1122334455667788;
    run();
    expect_rip(0x1002);
    assert_true(mmio_write);
    assert_int_equal(mmio_width, 4);
    assert_int_equal(mmio_address, 0xb0001004);
    assert_int_equal(mmio_value, 0x55667788);
    memory_exit("\x88\x38", 2, true); /* mov [eax], bh */
    vcpu.registers[GUEST_RBX] = 0x1122334455667788;
    run();
    assert_int_equal(mmio_value, 0x77);
    memory_exit("\xc6\x00\xfe", 3, true); /* mov byte [eax], 0xfe */
    run();
    expect_rip(0x1003);
    assert_int_equal(mmio_value, 0xfe);
    memory_exit("\x89\x20", 2, true); /* mov [eax], esp */
    vcpu.start.rsp = 0x7770;
    run();
    assert_int_equal(mmio_value, 0x7770);
}

static void test_memory_read(void **state)
{
    static const struct {
        const char *code;
        size_t size;
        uint64_t device, rbx;
    } reads[] = {
        {"\x8b\x18", 2, 0x80000001, 0x80000001},             /* mov ebx, [eax] */
        {"\x66\x8b\x18", 3, 0xffff8001, 0x1122334455668001}, /* mov bx, [eax] */
        {"\x8a\x18", 2, 0xffffff99, 0x1122334455667799},     /* mov bl, [eax] */
        {"\x8a\x38", 2, 0xffffff99, 0x1122334455669988},     /* mov bh, [eax] */
        {"\x0f\xb6\x18", 3, 0xffffff99, 0x99},               /* movzx ebx, byte [eax] */
        {"\x0f\xb7\x18", 3, 0xffff8001, 0x8001},             /* movzx ebx, word [eax] */
        {"\x0f\xbe\x18", 3, 0x99, 0xffffff99},               /* movsx ebx, byte [eax] */
        {"\x66\x0f\xbe\x18", 4, 0x99, 0x112233445566ff99},   /* movsx bx, byte [eax] */
        {"\x0f\xbf\x18", 3, 0x7fff, 0x7fff},                 /* movsx ebx, word [eax] */
    };
    for (size_t i = 0; i < ARRAY_SIZE(reads); i++) {
        memory_exit(reads[i].code, reads[i].size, false);
        vcpu.registers[GUEST_RBX] = 0x1122334455667788;
        mmio_value = reads[i].device;
        run();
        expect_rip(0x1000 + reads[i].size);
        if (vcpu.registers[GUEST_RBX] != reads[i].rbx)
            print_message("case %zu: %#llx\n", i, (unsigned long long)vcpu.registers[GUEST_RBX]);
        assert_true(vcpu.registers[GUEST_RBX] == reads[i].rbx);
    }
    memory_exit("\x8b\x20", 2, false); /* mov esp, [eax] */
    mmio_value = 0x5550;
    run();
    assert_int_equal(guest.rsp, 0x5550);
}

static void test_memory_refused(void **state)
{
    memory_exit("\x8b\x18", 2, false);
    mmio_there = false;
    run();
    expect_stop("memory-access", "address=0xb0001004");
    memory_exit("\xa5", 1, false); /* movsd */
    loops = VCPU_RETRIES;
    run();
    expect_stop("memory-access", "not a plain move");
    assert_int_equal(mmio_count, 0);
    memory_exit("\x8b\x18", 2, true); /* the CPU says write, the instruction reads */
    loops = VCPU_RETRIES;
    run();
    expect_stop("memory-access", "page tables");
    assert_int_equal(mmio_count, 0);
    memory_exit("\x8b\x18", 2, false)->memory.read = false;
    run();
    expect_stop("memory-access", "page-walk-or-event");
    memory_exit("\x8b\x18", 2, false)->memory.execute = true;
    run();
    expect_stop("memory-access", "access=execute");
    assert_int_equal(execute_count, 1);
    memory_exit("\x8b\x18", 2, false)->memory.misconfigured = true;
    run();
    expect_stop("memory-access", "malformed");
}

/* Code in RAM whose pages are too large to be executable: made so, and the instruction again. */
static void test_code_gets_the_right(void **state)
{
    struct vcpu_exit *exit = memory_exit("\x8b\x18", 2, false);
    exit->memory.execute = true;
    exit->memory.read = false;
    execute_address = exit->memory.address;
    flushes = 0;
    run();
    execute_address = 0;
    expect_rip(0x1000);
    assert_int_equal(flushes, 1);
    assert_int_equal(mmio_count, 0);
}

/* --- another vCPU changes the code meanwhile --- */

static void store_instead_of_load(struct vcpu *target)
{
    if (flushes > 0)
        memcpy(memory + 0x1000, "\x89\x18", 2);
}

/* What is there now is executed, with translations read anew. */
static void test_instruction_changes(void **state)
{
    memory_exit("\x8b\x18", 2, true); /* the CPU says write */
    loops = 1;
    before_exit = store_instead_of_load;
    run();
    expect_rip(0x1002);
    assert_int_equal(mmio_count, 1);
    assert_int_equal(flushes, 1);
}

static void move_on(struct vcpu *target)
{
    guest.rip = 0x1000 + (flushes & 1);
}

/* Not what happens again and again at the same place is counted, but in a row. */
static void test_retries_are_counted_by_place(void **state)
{
    memory_exit("\xa5\xa5", 2, false);
    loops = 10 * VCPU_RETRIES;
    script_size = 0;
    before_exit = move_on;
    run();
    assert_int_equal(stops, 0);
    assert_int_equal(flushes, 10 * VCPU_RETRIES);
}

static void something_between(struct vcpu *target)
{
    static const enum exit_kind kinds[] = {EXIT_MEMORY, EXIT_NMI, EXIT_CPUID, EXIT_NMI};
    script[0].kind = kinds[loops % ARRAY_SIZE(kinds)];
}

/* Lawful races at one place do not add up while the guest also does other things. */
static void test_retries_are_counted_in_a_row(void **state)
{
    memory_exit("", 0, false);
    memset(memory + 0x1000, 0x66, 15); /* prefixes only: no instruction */
    loops = 20 * VCPU_RETRIES;
    script_size = 0;
    before_exit = something_between;
    run();
    assert_int_equal(stops, 0);
    assert_int_equal(flushes, 10 * VCPU_RETRIES);
}

/* --- the guest's own paging --- */

static void put(uint64_t address, uint64_t entry, size_t size)
{
    memcpy(memory + address, &entry, size);
}

static void test_fetch_long_mode(void **state)
{
    const uint64_t rip = 0xffffffff80002ffe; /* the instruction crosses into another page */
    memory_exit("", 0, false);
    memset(memory + 0x10000, 0, 0x8000);
    set_long_mode(rip);
    put(0x10000 + 511 * 8, 0x11003, 8);
    put(0x11000 + 510 * 8, 0x12003, 8);
    put(0x12000, 0x13003, 8);
    put(0x13000 + 2 * 8, 0x8000000000020003, 8);
    put(0x13000 + 3 * 8, 0x8000000000030003, 8);
    memcpy(memory + 0x20ffe, "\x4c\x8b", 2);
    memcpy(memory + 0x30000, "\x48\x10", 2); /* mov r9, [rax+16] */
    mmio_value = 0x1234567890;
    run();
    expect_rip(rip + 4);
    assert_true(vcpu.registers[GUEST_R9] == 0x1234567890);
    assert_int_equal(mmio_width, 8);

    /* The second page is not there: what is left is too short. */
    memory_exit("", 0, false);
    memcpy(memory + 0x20ffe, "\x4c\x8b", 2);
    memset(memory + 0x10000, 0, 0x8000);
    set_long_mode(rip);
    put(0x10000 + 511 * 8, 0x11003, 8);
    put(0x11000 + 510 * 8, 0x12003, 8);
    put(0x12000, 0x13003, 8);
    put(0x13000 + 2 * 8, 0x20003, 8);
    loops = VCPU_RETRIES;
    run();
    assert_string_equal(stop_reason, "memory-access");
    assert_int_equal(mmio_count, 0);
}

static void test_fetch_large_pages(void **state)
{
    memory_exit("", 0, false); /* 2 MiB */
    memset(memory + 0x10000, 0, 0x8000);
    set_long_mode(0x40012345);
    put(0x10000, 0x11003, 8);
    put(0x11000 + 8, 0x12003, 8);
    put(0x12000, 0x83, 8);
    memcpy(memory + 0x12345, "\x8b\x18", 2);
    run();
    expect_rip(0x40012347);

    memory_exit("", 0, false); /* 1 GiB */
    memset(memory + 0x10000, 0, 0x8000);
    set_long_mode(0x40023456);
    put(0x10000, 0x11003, 8);
    put(0x11000 + 8, 0x83, 8);
    memcpy(memory + 0x23456, "\x8b\x18", 2);
    run();
    expect_rip(0x40023458);
}

static void test_fetch_32_bit_paging(void **state)
{
    for (unsigned pse = 0; pse < 2; pse++) {
        memory_exit("", 0, false);
        memset(memory + 0x10000, 0, 0x8000);
        vcpu.start.cr0 = CR0_PE | CR0_PG;
        vcpu.start.cr4 = pse != 0 ? BIT(4) : 0;
        vcpu.start.cr3 = 0x10000;
        vcpu.start.rip = 0xc0005678;
        put(0x10000 + 0x300 * 4, pse != 0 ? 0x83 : 0x11003, 4);
        put(0x11000 + 5 * 4, 0x20003, 4);
        memcpy(memory + (pse != 0 ? 0x5678 : 0x20678), "\x8b\x18", 2);
        run();
        expect_rip(0xc000567a);
    }
}

static void test_fetch_pae_paging(void **state)
{
    memory_exit("", 0, false);
    memset(memory + 0x10000, 0, 0x8000);
    vcpu.start.cr0 = CR0_PE | CR0_PG;
    vcpu.start.cr4 = CR4_PAE;
    vcpu.start.cr3 = 0x10020; /* 32-byte aligned */
    vcpu.start.rip = 0xc0005678;
    put(0x10020 + 3 * 8, 0x11001, 8);
    put(0x11000, 0x12003, 8);
    put(0x12000 + 5 * 8, 0x20003, 8);
    memcpy(memory + 0x20678, "\x8b\x18", 2);
    run();
    expect_rip(0xc000567a);
}

static void test_fetch_refuses(void **state)
{
    memory_exit("", 0, false); /* 5-level paging */
    set_long_mode(0x1000);
    vcpu.start.cr4 |= CR4_LA57;
    loops = VCPU_RETRIES;
    run();
    expect_stop("memory-access", "");
    memory_exit("", 0, false); /* tables outside of memory */
    set_long_mode(0x1000);
    vcpu.start.cr3 = 0x7ffffffff000;
    loops = VCPU_RETRIES;
    run();
    expect_stop("memory-access", "");
    memory_exit("", 0, false); /* a table that points at itself ends after four levels */
    set_long_mode(0x1000);
    memset(memory + 0x10000, 0, 0x1000);
    put(0x10000, 0x10003, 8);
    put(0x10000 + 8, 0x10003, 8);
    loops = VCPU_RETRIES;
    run();
    expect_stop("memory-access", "");
}

static void test_fetch_segment_base(void **state)
{
    memory_exit("", 0, false); /* real mode: mov ax, [bx] at 9a00:0010 */
    vcpu_state_sipi(&vcpu.start, 0x9a);
    vcpu.start.rip = 0x10;
    memcpy(memory + 0x9a010, "\x8b\x07", 2);
    mmio_value = 0x4321;
    before_exit = keep_rax;
    run();
    expect_rip(0x12);
    assert_int_equal(rax_before_call, 0x4321);
    assert_int_equal(mmio_width, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_memory_write),
        CASE(test_memory_read),
        CASE(test_memory_refused),
        CASE(test_code_gets_the_right),
        CASE(test_fetch_long_mode),
        CASE(test_fetch_large_pages),
        CASE(test_fetch_32_bit_paging),
        CASE(test_fetch_pae_paging),
        CASE(test_fetch_refuses),
        CASE(test_fetch_segment_base),
        CASE(test_instruction_changes),
        CASE(test_retries_are_counted_by_place),
        CASE(test_retries_are_counted_in_a_row),
    };
    return cmocka_run_group_tests_name("memory exits", tests, NULL, NULL);
}
