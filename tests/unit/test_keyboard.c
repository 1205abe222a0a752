/* SPDX-License-Identifier: MIT */
// SOURCES: drivers/keyboard/keyboard.c hypervisor/setup/keyboard.c -log.c -clock.c -pages.c
/* What is typed on a PS/2 keyboard, as scan codes. */
#include "drivers/keyboard/keyboard.h"
#include "hypervisor/base/mmio.h"
#include "tests/unit/support/host.h"

static const uint8_t *codes;
static size_t left;
static uint8_t extra_status;
static bool absent;

uint8_t port_read8(uint16_t port)
{
    if (absent)
        return 0xff;
    if (port == 0x64)
        return (uint8_t)(left != 0) | extra_status;
    assert_int_equal(port, 0x60);
    assert_true(left != 0);
    left--;
    return *codes++;
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
    absent = false;
    extra_status = 0;
    return keyboard_init() ? 0 : 1;
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
    assert_false(keyboard_init());
    assert_int_equal(keyboard_read(), -1);
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
