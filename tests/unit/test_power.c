/* SPDX-License-Identifier: MIT */
// Which ports a reset and a power-off touch, and in which order.
// SOURCES: hypervisor/x86/power.c hypervisor/x86/steps.c hypervisor/setup/power.c
#include <stdio.h>
#include <string.h>

#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/setup/setup.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/power.h"
#include "tests/unit/support/host.h"

static char trace[4096];
static size_t used;
static jmp_buf end;
static uint16_t control = 1; /* SCI_EN */

static void note(const char *what, unsigned port, unsigned value)
{
    used += (size_t)snprintf(trace + used, sizeof trace - used, "%s%x=%x ", what, port, value);
}

void port_write8(uint16_t port, uint8_t value)
{
    note("", port, value);
    if (port == 0x64 && value == 0xfe)
        longjmp(end, 1); /* what follows is a triple fault */
}

void port_write16(uint16_t port, uint16_t value)
{
    note("w", port, value);
    if (port == 0x604)
        control = value;
}

uint8_t port_read8(uint16_t port)
{
    return port == 0xcf9 ? 0x88 : 0;
}

uint16_t port_read16(uint16_t port)
{
    return port == 0x604 ? control : 0;
}

/* Widths that no step of these has. */
uint32_t port_read32(uint16_t port)
{
    fail();
    return 0;
}

void port_write32(uint16_t port, uint32_t value)
{
    fail();
}

#define NO_ACCESS(bits)                                                                            \
    uint##bits##_t mmio_read##bits(uintptr_t address)                                              \
    {                                                                                              \
        fail();                                                                                    \
        return 0;                                                                                  \
    }
NO_ACCESS(8)
NO_ACCESS(16)
NO_ACCESS(32)
NO_ACCESS(64)

#define NO_WRITE(bits)                                                                             \
    void mmio_write##bits(uintptr_t address, uint##bits##_t value)                                 \
    {                                                                                              \
        fail();                                                                                    \
    }
NO_WRITE(16)
NO_WRITE(32)
NO_WRITE(64)

void mmio_write8(uintptr_t address, uint8_t value)
{
    note("m", (unsigned)address, value);
}

uintptr_t map_device(uint64_t physical, uint64_t size)
{
    assert_int_equal(size, 1);
    return physical + 0x1000;
}

bool interrupts_disable(void)
{
    return true;
}

void cpu_halt_forever(void)
{
    longjmp(end, 1);
}

void log_flush(void)
{
    note("flush", 0, 0);
}

static const struct fadt none = {.reset_space = 0xff};
static const struct fadt usual = {
    .reset_space = 1,
    .reset_address = 0xcf9,
    .reset_value = 0x0f,
    .pm1_event_port = {0x600, 0x700},
    .pm1_event_length = 4,
    .pm1a_control_port = 0x604,
    .gpe_port = {0x620, 0},
    .gpe_length = {4, 0},
    .smi_command_port = 0xb2,
    .acpi_enable = 2,
};

static void use(const struct fadt *fadt, bool emulator)
{
    power_init(fadt, emulator, (const uint8_t[]){5, 5});
    control = 1;
    used = 0;
    trace[0] = '\0';
    host_log_clear();
}

static const char *rebooted(void)
{
    if (setjmp(end) == 0)
        machine_reboot();
    return trace;
}

static const char *switched_off(uint8_t debug_exit)
{
    if (setjmp(end) == 0)
        machine_power_off(debug_exit);
    return trace;
}

/* The chipset's register, which nearly all tables name: never with the bit that takes the power
 * away from memory. */
static void test_reset_as_the_table_says_comes_first(void **state)
{
    use(&usual, false);
    assert_string_equal(rebooted(), "flush0=0 cf9=7 cf9=82 cf9=86 64=fe ");
    struct fadt other = usual;
    other.reset_address = 0x92;
    other.reset_value = 0x89;
    use(&other, false);
    assert_string_equal(rebooted(), "flush0=0 92=89 cf9=82 cf9=86 64=fe ");
    other.reset_space = 0;
    other.reset_address = 0xfed00000;
    use(&other, false);
    assert_string_equal(rebooted(), "flush0=0 mfed01000=89 cf9=82 cf9=86 64=fe ");
    use(&none, false);
    assert_string_equal(rebooted(), "flush0=0 cf9=82 cf9=86 64=fe ");
}

/* Enables first, then status, both blocks; then the sleep type, then the sleep. */
static void test_power_off_leaves_nothing_that_wakes(void **state)
{
    use(&usual, false);
    assert_string_equal(switched_off(0x10), "flush0=0 w602=0 w600=c731 w702=0 w700=c731 622=0 "
                                            "623=0 620=ff 621=ff w604=1401 w604=3401 ");
    assert_int_equal(host_log_count("power.off-failed", NULL), 1);
}

/* ACPI 4.8.3.1.2: the enables begin in the middle, wherever that is. */
static void test_a_longer_event_block(void **state)
{
    struct fadt longer = usual;
    longer.pm1_event_port[0] = 0x640;
    longer.pm1_event_port[1] = 0;
    longer.pm1_event_length = 8;
    use(&longer, false);
    const char *said = switched_off(0);
    assert_ptr_equal(strstr(said, "flush0=0 w644=0 w640=c731 622=0 "), said);
}

static void test_acpi_mode_is_switched_on_before(void **state)
{
    control = 0; /* as it was at boot */
    use(&usual, false);
    control = 0;
    const char *said = switched_off(0);
    assert_ptr_equal(strstr(said, "flush0=0 b2=2 w602=0 "), said);
}

/* What an emulator takes for "exit" may be anything on a real machine. */
static void test_emulators_ports_are_left_alone_elsewhere(void **state)
{
    use(&none, false);
    assert_string_equal(switched_off(0x10), "flush0=0 ");
    use(&none, true);
    assert_string_equal(switched_off(0x10), "flush0=0 f4=10 8900=53 8900=68 8900=75 8900=74 "
                                            "8900=64 8900=6f 8900=77 8900=6e ");
    assert_string_equal(switched_off(0) + used - 8, "8900=6e ");
}

static void test_all_blocks_fit(void **state)
{
    struct fadt all = usual;
    all.gpe_port[1] = 0xff00;
    all.gpe_length[0] = all.gpe_length[1] = 0xfe;
    all.pm1b_control_port = 0x704;
    control = 0; /* as it was at boot: a step more */
    use(&all, true);
    assert_in_range(power_means.off.count, 20, REGISTER_STEPS);
    switched_off(0);
    assert_non_null(strstr(trace, " fffd=0 ff00=ff "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reset_as_the_table_says_comes_first),
        cmocka_unit_test(test_power_off_leaves_nothing_that_wakes),
        cmocka_unit_test(test_a_longer_event_block),
        cmocka_unit_test(test_acpi_mode_is_switched_on_before),
        cmocka_unit_test(test_emulators_ports_are_left_alone_elsewhere),
        cmocka_unit_test(test_all_blocks_fit),
    };
    return cmocka_run_group_tests_name("power", tests, NULL, NULL);
}
