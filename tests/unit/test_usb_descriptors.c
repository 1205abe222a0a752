/* SPDX-License-Identifier: MIT */
// SOURCES: guest/usb/descriptors.c -log.c -clock.c -pages.c
/* Which of a device's interfaces are keyboards. */
#include <stdlib.h>
#include <string.h>

#include "guest/usb/descriptors.h"
#include "tests/unit/support/host.h"

static uint8_t bytes[512];
static size_t size;
static struct usb_configuration found;

static void add(const uint8_t *part, size_t length)
{
    memcpy(bytes + size, part, length);
    size += length;
    bytes[2] = (uint8_t)size;
    bytes[3] = (uint8_t)(size >> 8);
}

#define ADD(...) add((const uint8_t[]){__VA_ARGS__}, sizeof(const uint8_t[]){__VA_ARGS__})

static void interface(uint8_t number, uint8_t alternate, uint8_t class, uint8_t protocol)
{
    ADD(9, 4, number, alternate, 1, class, class == 3 ? 1 : 0, protocol, 0);
}

static void hid(void)
{
    ADD(9, 0x21, 0x11, 0x01, 0, 1, 0x22, 63, 0);
}

static void endpoint(uint8_t address, uint8_t kind, uint16_t packet, uint8_t interval)
{
    ADD(7, 5, address, kind, (uint8_t)packet, (uint8_t)(packet >> 8), interval);
}

static int fresh(void **state)
{
    memset(bytes, 0, sizeof bytes);
    size = 0;
    ADD(9, 2, 0, 0, 2, 3, 0, 0xa0, 50); /* value 3 */
    return 0;
}

/* Of exactly so many bytes: the address sanitizer sees a step too far. */
static bool read_of(size_t length)
{
    uint8_t *copy = malloc(length == 0 ? 1 : length);
    memcpy(copy, bytes, length);
    bool done = usb_configuration_read(copy, length, &found);
    free(copy);
    return done;
}

static void a_plain_keyboard(void **state)
{
    interface(0, 0, 3, 1);
    hid();
    endpoint(0x81, 3, 8, 10);
    assert_true(read_of(size));
    assert_int_equal(found.value, 3);
    assert_int_equal(found.keyboards, 1);
    assert_int_equal(found.keyboard[0].interface, 0);
    assert_int_equal(found.keyboard[0].number, 1);
    assert_int_equal(found.keyboard[0].size, 8);
    assert_int_equal(found.keyboard[0].interval, 10);
    assert_int_equal(found.keyboard[0].burst, 0);
}

/* A receiver: keyboard, mouse, and a second keyboard with what it has beside reports. */
static void one_among_others(void **state)
{
    interface(0, 0, 3, 2);
    hid();
    endpoint(0x81, 3, 8, 2);
    interface(1, 0, 3, 1);
    hid();
    endpoint(0x02, 3, 8, 4);  /* away from the host */
    endpoint(0x82, 2, 64, 0); /* bulk */
    endpoint(0x83, 3, 64, 0);
    ADD(6, 48, 2, 0, 64, 0);
    interface(2, 1, 3, 1); /* an alternate setting */
    endpoint(0x84, 3, 8, 1);
    interface(3, 0, 8, 1); /* a stick */
    endpoint(0x85, 3, 8, 1);
    interface(4, 0, 3, 1);
    endpoint(0x83, 3, 8, 1); /* the first keyboard's */
    endpoint(0x86, 3, 0x0808 | 16, 1);
    assert_true(read_of(size));
    assert_int_equal(found.keyboards, 2);
    assert_int_equal(found.keyboard[0].interface, 1);
    assert_int_equal(found.keyboard[0].number, 3);
    assert_int_equal(found.keyboard[0].size, 64);
    assert_int_equal(found.keyboard[0].interval, 1);
    assert_int_equal(found.keyboard[0].burst, 2);
    assert_int_equal(found.keyboard[1].interface, 4);
    assert_int_equal(found.keyboard[1].number, 6);
    assert_int_equal(found.keyboard[1].size, 24);
}

static void more_than_are_used(void **state)
{
    for (uint8_t i = 0; i < 8; i++) {
        interface(i, 0, 3, 1);
        endpoint((uint8_t)(0x81 + i), 3, 8, 1);
    }
    assert_true(read_of(size));
    assert_int_equal(found.keyboards, USB_KEYBOARDS);
}

static void no_keyboard(void **state)
{
    interface(0, 0, 3, 1);
    endpoint(0x81, 3, 4, 1); /* too small for a report */
    interface(1, 0, 3, 1);
    endpoint(0x80, 3, 8, 1); /* endpoint 0 */
    interface(2, 0, 3, 1);
    endpoint(0x82, 3, 1025, 1);
    assert_true(read_of(size));
    assert_int_equal(found.keyboards, 0);
}

static void what_is_no_configuration(void **state)
{
    for (size_t length = 0; length < USB_CONFIG_DESCRIPTOR_SIZE; length++)
        assert_false(read_of(length));
    bytes[1] = 1;
    assert_false(read_of(size));
    fresh(state);
    bytes[0] = 8;
    assert_false(read_of(size));
}

/* Cut anywhere, and every length byte wrong in turn: it ends, within what was sent. */
static void broken_ones(void **state)
{
    interface(0, 0, 3, 1);
    hid();
    endpoint(0x81, 3, 8, 10);
    ADD(6, 48, 255, 0, 8, 0);
    for (size_t length = USB_CONFIG_DESCRIPTOR_SIZE; length <= size; length++)
        assert_true(read_of(length));
    assert_int_equal(found.keyboard[0].burst, 15);
    for (size_t at = 0; at < size; at++)
        for (unsigned value = 0; value < 256; value++) {
            uint8_t kept = bytes[at];
            bytes[at] = (uint8_t)value;
            (void)read_of(size);
            for (unsigned i = 0; i < found.keyboards; i++) {
                assert_in_range(found.keyboard[i].number, 1, 15);
                assert_in_range(found.keyboard[i].size, 8, 1024);
                assert_in_range(found.keyboard[i].interval, 1, 255);
                assert_in_range(found.keyboard[i].burst, 0, 15);
            }
            bytes[at] = kept;
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_plain_keyboard, fresh),
        cmocka_unit_test_setup(one_among_others, fresh),
        cmocka_unit_test_setup(more_than_are_used, fresh),
        cmocka_unit_test_setup(no_keyboard, fresh),
        cmocka_unit_test_setup(what_is_no_configuration, fresh),
        cmocka_unit_test_setup(broken_ones, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
