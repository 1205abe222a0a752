/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/assign/guest_memory.c hypervisor/setup/console_input.c
// SOURCES: hypervisor/vdev/calls.c hypervisor/base/format.c hypervisor/base/text.c
// SOURCES: hypervisor/vdev/output.c
// SOURCES: hypervisor/base/string.c hypervisor/base/status.c
/* What a guest types at the prompt: only the one that may, only characters, and not too many. */
#include "hypervisor/abi/calls.h"
#include "hypervisor/base/clock.h"
#include "hypervisor/monitor/console.h"
#include "hypervisor/setup/guests.h"
#include "hypervisor/vdev/calls.h"
#include "hypervisor/vdev/virtual_serial.h"
#include "hypervisor/x86/cpu.h"
#include "tests/unit/support/host.h"

static struct config_guest configs[2] = {{.console_input = true}, {.console_input = false}};
static struct guest guests[2] = {{.name = "keyboard", .config = &configs[0]},
                                 {.name = "other", .config = &configs[1]}};
static struct cpu cpus[2] = {{.index = 1}, {.index = 2}};
static unsigned core; /* each guest has one */
static const struct console_device *registered;

struct cpu *cpu_current(void)
{
    return &cpus[core];
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
}

struct guest *guest_at(unsigned index)
{
    return index < ARRAY_SIZE(guests) ? &guests[index] : NULL;
}

void console_register(const struct console_device *device)
{
    assert_null(registered);
    registered = device;
}

static int64_t type(unsigned guest, uint64_t character)
{
    static struct vcpu vcpu;
    core = guest;
    vcpu.guest = &guests[guest];
    vcpu.registers[GUEST_RAX] = ABI_CONSOLE_INPUT;
    vcpu.registers[GUEST_RDI] = character;
    assert_int_equal(calls_answer(&vcpu), EXIT_RESUME);
    return (int64_t)vcpu.registers[GUEST_RAX];
}

static int fresh(void **state)
{
    host_log_clear();
    host_clock_advance(MILLISECONDS(1000));
    (void)calls_typed();
    host_clock_advance(MILLISECONDS(1000));
    registered = NULL;
    for (core = 0; core < 2; core++)
        calls_open(NULL);
    return 0;
}

static void characters_of_a_keyboard(void **state)
{
    for (unsigned character = 1; character < 0x80; character++) {
        assert_int_equal(type(0, character), ABI_OK);
        host_clock_advance(MILLISECONDS(20));
        assert_int_equal(calls_typed(), character);
        assert_int_equal(calls_typed(), -1);
    }
}

static void nothing_else(void **state)
{
    static const uint64_t bad[] = {
        0, 0x80, 0xff, 0x100, 0x100 | 'a', 1u << 31, 1ull << 32 | 'a', UINT64_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(type(0, bad[i]), ABI_BAD_ARGUMENT);
    assert_int_equal(calls_typed(), -1);
}

static void only_who_may(void **state)
{
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(type(1, i), ABI_DENIED);
    assert_int_equal(calls_typed(), -1);
    /* Once, with what to do; and once more when it is started again. */
    assert_int_equal(host_log_count("console.input_denied", "guest=other"), 1);
    assert_int_equal(host_log_count("console.input_denied", "console_input = yes"), 1);
    calls_open(NULL);
    core = 1;
    calls_open(NULL);
    assert_int_equal(type(1, 'x'), ABI_DENIED);
    assert_int_equal(host_log_count("console.input_denied", NULL), 2);
}

/* However fast it types: one in 20 ms, none lost, none twice, none stored up. */
static void a_flood_is_held_to_a_rate(void **state)
{
    unsigned put = 0, taken = 0;
    uint64_t start = clock_microseconds();
    while (clock_microseconds() - start < MILLISECONDS(1000)) {
        if (type(0, 'a' + put % 26) == ABI_OK)
            put++;
        else
            assert_int_equal(type(0, 'a'), ABI_BUSY);
        for (unsigned look = 0; look < 64; look++) { /* a turn of the monitor */
            int character = calls_typed();
            if (character >= 0)
                assert_int_equal(character, 'a' + taken++ % 26);
        }
        host_clock_advance(500);
    }
    assert_in_range(taken, 45, 50);
    assert_in_range(put - taken, 0, 1);
}

static void the_console_listens_to_it(void **state)
{
    guests[0].state = guests[1].state = GUEST_CREATED;
    guests_grant_console_input();
    assert_non_null(registered);
    assert_true(registered->read == calls_typed && registered->write == NULL);
    assert_int_equal(host_log_count("console.input", "guest=keyboard"), 1);
    fresh(state);
    guests[0].state = GUEST_REFUSED;
    guests_grant_console_input();
    assert_null(registered);
    assert_int_equal(host_log_count("console.input", NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(characters_of_a_keyboard, fresh),
        cmocka_unit_test_setup(nothing_else, fresh),
        cmocka_unit_test_setup(only_who_may, fresh),
        cmocka_unit_test_setup(a_flood_is_held_to_a_rate, fresh),
        cmocka_unit_test_setup(the_console_listens_to_it, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
