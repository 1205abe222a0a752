/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/assign/guest_memory.c
// SOURCES: hypervisor/vdev/calls.c hypervisor/base/format.c hypervisor/base/text.c
// SOURCES: hypervisor/vdev/output.c
// SOURCES: hypervisor/base/string.c hypervisor/base/status.c
/* The start stub's own calls: what they do, and that nobody else has them. */
#include "hypervisor/abi/calls.h"
#include "hypervisor/base/string.h"
#include "hypervisor/vdev/calls.h"
#include "hypervisor/vdev/virtual_serial.h"
#include "hypervisor/x86/cpu.h"
#include "tests/unit/support/host.h"

static uint8_t memory[MIB(2)];
static struct guest guest;
static struct vcpu vcpu = {.guest = &guest};
static struct cpu cpu = {.index = 1};
static unsigned ends;
static const char *why;

struct cpu *cpu_current(void)
{
    return &cpu;
}

uint64_t virtual_serial_accesses(struct virtual_serial *serial)
{
    return 0;
}

uint64_t guest_exits(const struct guest *of)
{
    return 0;
}

void guest_note_end(struct guest *of, const char *reason, uint64_t exit_status)
{
    ends++;
    why = reason;
}

static int fresh(void **state)
{
    guest = (struct guest){.memory_size = MIB(2), .loading = true};
    ends = 0;
    calls_open(memory);
    return 0;
}

static int64_t call(uint64_t number, uint64_t argument)
{
    vcpu.registers[GUEST_RAX] = number;
    vcpu.registers[GUEST_RDI] = argument;
    assert_int_equal(calls_answer(&vcpu), EXIT_RESUME);
    return (int64_t)vcpu.registers[GUEST_RAX];
}

static void ports_come_with_the_kind(void **state)
{
    vcpu.exits[EXIT_CPUID] = 7;
    assert_int_equal(call(ABI_START_LOADED, 0), ABI_OK);
    assert_false(guest.ports || guest.loading);
    assert_int_equal(vcpu.exits[EXIT_CPUID], 0); /* those so far were the stub's */
    fresh(NULL);
    assert_int_equal(call(ABI_START_LOADED, 1), ABI_OK);
    assert_true(guest.ports);
}

static void an_image_has_no_such_calls(void **state)
{
    assert_int_equal(call(ABI_START_LOADED, 0), ABI_OK);
    assert_int_equal(call(ABI_START_LOADED, 1), ABI_NO_SUCH_CALL);
    assert_int_equal(call(ABI_START_REFUSED, 0), ABI_NO_SUCH_CALL);
    assert_false(guest.ports);
    assert_int_equal(ends, 0);
}

static void a_report_lies_in_the_guests_memory(void **state)
{
    const uint64_t size = sizeof(struct abi_refusal);
    const uint64_t beyond[] = {MIB(2) - size + 1, MIB(2), UINT64_MAX, UINT64_MAX - size + 1};
    for (size_t i = 0; i < ARRAY_SIZE(beyond); i++)
        assert_int_equal(call(ABI_START_REFUSED, beyond[i]), ABI_BAD_ADDRESS);
    assert_int_equal(ends, 0);
    assert_true(guest.loading);
}

/* Logged on the control core, when the guest has ended. */
static void a_report_is_kept(void **state)
{
    const struct abi_refusal said = {ABI_REFUSED_IMAGE, 0x78, 7, "no"};
    memcpy(memory + 0x1000, &said, sizeof said);
    vcpu.registers[GUEST_RAX] = ABI_START_REFUSED;
    vcpu.registers[GUEST_RDI] = 0x1000;
    assert_int_equal(calls_answer(&vcpu), EXIT_STOP);
    assert_int_equal(ends, 1);
    assert_string_equal(why, END_REFUSED);
    assert_memory_equal(&guest.refusal, &said, sizeof said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(ports_come_with_the_kind, fresh),
        cmocka_unit_test_setup(an_image_has_no_such_calls, fresh),
        cmocka_unit_test_setup(a_report_is_kept, fresh),
        cmocka_unit_test_setup(a_report_lies_in_the_guests_memory, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
