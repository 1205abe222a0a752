/* SPDX-License-Identifier: MIT */
// SOURCES: drivers/keyboard/keyboard.c hypervisor/setup/keyboard.c
/* What is typed on a PS/2 keyboard, as scan codes. */
#include "drivers/keyboard/keyboard.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/setup/keyboard.h"
#include "hypervisor/x86/registers.h"
#include "tests/unit/support/host.h"

static const uint8_t *codes;
static size_t left;
static uint8_t extra_status;
static bool absent, deaf, traps, counts_smis;
static unsigned looks;
static uint64_t smi_count;

uint8_t port_read8(uint16_t port)
{
    looks++;
    smi_count += traps;
    if (absent)
        return 0xff;
    if (port == 0x64)
        return (uint8_t)(left != 0) | extra_status;
    assert_int_equal(port, 0x60);
    assert_true(left != 0);
    left--;
    return *codes++;
}

/* "Read command byte". */
void port_write8(uint16_t port, uint8_t value)
{
    static const uint8_t command_byte = 0x65;
    assert_int_equal(port, 0x64);
    assert_int_equal(value, 0x20);
    assert_int_equal(left, 0);
    smi_count += traps;
    codes = &command_byte;
    left = deaf ? 0 : 1;
}

bool msr_read_safe(uint32_t msr, uint64_t *value)
{
    assert_int_equal(msr, 0x34);
    *value = smi_count;
    return counts_smis;
}

static void feed(const uint8_t *bytes, size_t size)
{
    codes = bytes;
    left = size;
}

static void read_all(char *text)
{
    while (left != 0) {
        int typed = keyboard_read();
        if (typed >= 0)
            *text++ = (char)typed;
    }
    *text = '\0';
}

static int start(void **state)
{
    absent = deaf = traps = false;
    counts_smis = true;
    extra_status = 0;
    smi_count = 0xfffffffc; /* 32 bits of it count */
    left = 0;
    return keyboard_probe() == KEYBOARD_FOUND ? 0 : 1;
}

static void letters_and_enter(void **state)
{
    static const uint8_t bytes[] = {0x23, 0xa3, 0x12, 0x92, 0x26, 0xa6, 0x19, 0x99, 0x1c};
    char text[16];
    feed(bytes, sizeof bytes);
    read_all(text);
    assert_string_equal(text, "help\n");
}

static void shift_and_control(void **state)
{
    static const uint8_t bytes[] = {0x2a, 0x1e, 0x9e, 0x27, 0xaa, 0x1e,
                                    0x1d, 0x2e, 0xae, 0x9d, 0x2e};
    char text[16];
    feed(bytes, sizeof bytes);
    read_all(text);
    assert_string_equal(text, "A:a\003c");
}

static void keys_without_a_character(void **state)
{
    static const uint8_t bytes[] = {0xe0, 0x48, 0xe0, 0xc8, 0x3b, 0x58, 0x7f, 0xe0, 0x2a, 0x1e};
    char text[16];
    feed(bytes, sizeof bytes);
    read_all(text);
    assert_string_equal(text, "a"); /* the fake shift of an extended key shifts nothing */
}

static void a_mouse_types_nothing(void **state)
{
    static const uint8_t bytes[] = {0x1e, 0x1e};
    feed(bytes, sizeof bytes);
    extra_status = 0x20;
    assert_int_equal(keyboard_read(), -1);
    assert_int_equal(left, 0);
}

static void a_controller_that_babbles_is_left_alone(void **state)
{
    static uint8_t bytes[1000];
    feed(bytes, sizeof bytes);
    assert_int_equal(keyboard_read(), -1);
    assert_true(left > 900);
}

static void no_controller(void **state)
{
    absent = true;
    looks = 0;
    assert_int_equal(keyboard_probe(), KEYBOARD_ABSENT);
    assert_int_equal(looks, 1);
    assert_int_equal(keyboard_read(), -1);
}

/* A port that reads as something, where nobody carries out commands. */
static void no_answer(void **state)
{
    deaf = true;
    assert_int_equal(keyboard_probe(), KEYBOARD_ABSENT);
    deaf = false;
    extra_status = 0x02; /* always busy */
    assert_int_equal(keyboard_probe(), KEYBOARD_ABSENT);
    extra_status = 0x01; /* always full */
    static uint8_t bytes[1000];
    feed(bytes, sizeof bytes);
    assert_int_equal(keyboard_probe(), KEYBOARD_ABSENT);
    assert_true(left > 900);
}

static void what_was_typed_before_is_thrown_away(void **state)
{
    static const uint8_t bytes[] = {0x1e, 0x9e, 0x30, 0xb0};
    feed(bytes, sizeof bytes);
    assert_int_equal(keyboard_probe(), KEYBOARD_FOUND);
    assert_int_equal(keyboard_read(), -1);
}

/* Firmware's emulation: each look is an SMI. */
static void a_controller_that_is_firmware(void **state)
{
    traps = true;
    assert_int_equal(keyboard_probe(), KEYBOARD_TRAPPED);
    counts_smis = false;
    assert_int_equal(keyboard_probe(), KEYBOARD_FOUND); /* nobody can tell */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(letters_and_enter, start),
        cmocka_unit_test_setup(shift_and_control, start),
        cmocka_unit_test_setup(keys_without_a_character, start),
        cmocka_unit_test_setup(a_mouse_types_nothing, start),
        cmocka_unit_test_setup(a_controller_that_babbles_is_left_alone, start),
        cmocka_unit_test_setup(no_controller, start),
        cmocka_unit_test_setup(no_answer, start),
        cmocka_unit_test_setup(what_was_typed_before_is_thrown_away, start),
        cmocka_unit_test_setup(a_controller_that_is_firmware, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
