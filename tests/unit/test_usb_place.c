/* SPDX-License-Identifier: MIT */
// SOURCES: guest/usb/place.c -log.c -clock.c -pages.c
/* What contexts say of a device's place: examples of USB 3.2 8.9 and
 * xHCI 1.2 4.3.3, 6.2.2, 6.2.3.6. */
#include "guest/usb/place.h"
#include "guest/usb/xhci_registers.h"
#include "tests/unit/support/host.h"

static void routes(void **state)
{
    struct usb_place at = usb_place_at(NULL, 17, SPEED_SUPER);
    assert_int_equal(at.root_port, 17);
    assert_int_equal(at.route, 0);
    static const unsigned ports[USB_MAX_DEPTH] = {1, 15, 3, 4, 10};
    static struct usb_place hubs[USB_MAX_DEPTH + 1];
    hubs[0] = at;
    for (unsigned i = 0; i < USB_MAX_DEPTH; i++) {
        hubs[i + 1] = usb_place_at(&hubs[i], ports[i], SPEED_SUPER);
        assert_int_equal(hubs[i + 1].depth, i + 1);
        assert_int_equal(hubs[i + 1].root_port, 17);
    }
    assert_int_equal(hubs[USB_MAX_DEPTH].route, 0xa43f1);
    assert_int_equal(hubs[USB_MAX_DEPTH].port, 10);
}

/* root port 2 -> high-speed hub (slot 4), its port 3 -> full-speed hub (slot 5), its port 1 */
static void who_translates(void **state)
{
    struct usb_place fast = usb_place_at(NULL, 2, SPEED_HIGH);
    fast.slot = 4;
    struct usb_place slow = usb_place_at(&fast, 3, SPEED_FULL);
    slow.slot = 5;
    struct usb_place device = usb_place_at(&fast, 6, SPEED_LOW);
    assert_int_equal(usb_translator(&device), SLOT_TT(4, 6));
    assert_int_equal(usb_translator(&slow), SLOT_TT(4, 3));
    device = usb_place_at(&slow, 1, SPEED_LOW); /* behind it: still the fast hub's port */
    assert_int_equal(usb_translator(&device), SLOT_TT(4, 3));
    device = usb_place_at(&fast, 7, SPEED_HIGH);
    assert_int_equal(usb_translator(&device), 0);
    device = usb_place_at(NULL, 9, SPEED_LOW); /* the controller's own port */
    assert_int_equal(usb_translator(&device), 0);
    slow = usb_place_at(NULL, 9, SPEED_FULL);
    device = usb_place_at(&slow, 1, SPEED_LOW);
    assert_int_equal(usb_translator(&device), 0);
}

static void packets(void **state)
{
    static const unsigned sizes[] = {
        [SPEED_FULL] = 8, [SPEED_LOW] = 8, [SPEED_HIGH] = 64, [SPEED_SUPER] = 512, [5] = 512};
    for (unsigned speed = 1; speed < ARRAY_SIZE(sizes); speed++)
        assert_int_equal(usb_first_packet(speed), sizes[speed]);
}

/* Never less often than the device asks, and not more than twice as often. */
static void intervals(void **state)
{
    for (unsigned interval = 1; interval < 256; interval++) {
        unsigned exponent = usb_interval(SPEED_LOW, interval);
        assert_in_range(exponent, 3, 10);
        assert_in_range((125u << exponent) / 1000, (interval + 1) / 2, interval);
        assert_int_equal(usb_interval(SPEED_FULL, interval), exponent);
        exponent = usb_interval(SPEED_HIGH, interval);
        assert_int_equal(exponent, interval <= 16 ? interval - 1 : 15);
        assert_int_equal(usb_interval(SPEED_SUPER, interval), exponent);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes),
        cmocka_unit_test(who_translates),
        cmocka_unit_test(packets),
        cmocka_unit_test(intervals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
