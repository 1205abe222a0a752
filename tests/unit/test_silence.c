/* SPDX-License-Identifier: MIT */
// SOURCES: boot/pci/silence.c boot/pci/ports.c hypervisor/base/status.c
// SOURCES: tests/unit/model/pci_model.c tests/unit/model/pci_routing.c
/* Bus mastering off through the configuration ports, before there is any memory. */
#include <string.h>

#include "hypervisor/base/mmio.h"
#include "hypervisor/pci/config_access.h"
#include "boot/pci/silence.h"
#include "hypervisor/pci/discovery.h"
#include "tests/unit/model/pci_model.h"
#include "tests/unit/support/host.h"

/* --- the ports --- */

static uint32_t selected;
static unsigned accesses;

static rid_t selected_rid(void)
{
    assert_int_equal(selected & 0xff000003, 0x80000000);
    return selected >> 8 & 0xffff;
}

void port_write32(uint16_t port, uint32_t value)
{
    if (port != 0xcf8) {
        assert_in_range(port, 0xcfc, 0xcff);
        pci_config_write(selected_rid(), selected & 0xfc, 4, value);
        return;
    }
    selected = value;
    accesses++;
}

static uint32_t read_data(uint16_t port, unsigned width)
{
    assert_in_range(port, 0xcfc, 0xcff);
    return pci_config_read(selected_rid(), (selected & 0xfc) + (port & 3), width);
}

uint8_t port_read8(uint16_t port)
{
    return (uint8_t)read_data(port, 1);
}

uint16_t port_read16(uint16_t port)
{
    return (uint16_t)read_data(port, 2);
}

uint32_t port_read32(uint16_t port)
{
    return read_data(port, 4);
}

void port_write16(uint16_t port, uint16_t value)
{
    assert_in_range(port, 0xcfc, 0xcff);
    pci_config_write(selected_rid(), (selected & 0xfc) + (port & 3), 2, value);
}

/* --- the machine --- */

static struct boot_info found;
static enum boot_usb_result answer;
static unsigned asked, masters_when_asked;

/* Firmware's answer is a unit test of its own (test_usb_handoff.c). */
enum boot_usb_result usb_take(rid_t rid, uint8_t interface)
{
    asked++;
    masters_when_asked = model_bus_masters();
    return answer;
}

static int fresh(void **state)
{
    model_clear();
    memset(&found, 0, sizeof found);
    asked = 0;
    answer = BOOT_USB_TAKEN;
    accesses = 0;
    return 0;
}

static struct model_function *running(rid_t rid)
{
    struct model_function *function = model_endpoint(rid, 0x8086, 0x1533, 0x020000);
    model_put(function, 4, 2, 0x0507);
    return function;
}

/* The loader has been there before. */
static void what_the_loader_found_is_kept(void **state)
{
    running(RID(0, 0, 3, 0));
    found.silenced[RID(0, 0, 5, 0) / 64] |= BIT(RID(0, 0, 5, 0) % 64);
    pci_silence(false, &found);
    assert_true(pci_silenced(RID(0, 0, 3, 0)) && pci_silenced(RID(0, 0, 5, 0)));
    assert_false(pci_silenced(RID(0, 0, 4, 0)));
}

static void whatever_runs_stops(void **state)
{
    struct model_function *alone = running(RID(0, 0, 3, 0));
    struct model_function *first = running(RID(0, 0, 0x1f, 0));
    model_put(first, 0x0e, 1, 0x80);
    running(RID(0, 0, 0x1f, 3));
    struct model_function *port = model_bridge(RID(0, 0, 1, 0), 1, 3);
    model_put(port, 4, 2, 0x0007);
    model_bridge(RID(0, 1, 0, 0), 2, 3);
    running(RID(0, 2, 0, 0));
    assert_int_equal(model_bus_masters(), 4);
    pci_silence(false, &found);
    assert_int_equal(model_bus_masters(), 0);
    assert_int_equal(model_get(alone, 4, 2), 0x0503); /* nothing else changes */
    assert_int_equal(model_get(port, 4, 2), 0x0007);  /* bridges go on forwarding */
    assert_true(pci_silenced(RID(0, 0, 3, 0)) && pci_silenced(RID(0, 0, 0x1f, 3)) &&
                pci_silenced(RID(0, 2, 0, 0)));
    assert_false(pci_silenced(RID(0, 0, 1, 0)) || pci_silenced(RID(0, 0, 0x1f, 1)) ||
                 pci_silenced(RID(1, 0, 3, 0)));
    assert_int_equal(model_violations(), 0);
}

static void other_root_buses_are_tried_when_asked(void **state)
{
    model_root_bus(0x80);
    running(RID(0, 0x80, 5, 0));
    pci_silence(false, &found);
    assert_int_equal(model_bus_masters(), 1);
    assert_in_range(accesses, 32, 64);
    pci_silence(true, &found);
    assert_int_equal(model_bus_masters(), 0);
}

static struct model_function *controller(rid_t rid)
{
    struct model_function *function = model_endpoint(rid, 0x8086, 0xa36d, 0x0c0330);
    model_put(function, 4, 2, 0x0506);
    return function;
}

/* While firmware is asked, which may take a second, nobody else masters the bus any more; and the
 * controller does until then. */
static void usb_controllers_come_last(void **state)
{
    static const struct {
        enum boot_usb_result answer;
        bool returned; /* bus mastering may come back for firmware's sake */
    } cases[] = {
        {BOOT_USB_TAKEN, false},
        {BOOT_USB_UNUSED, false},
        {BOOT_USB_STUCK, true},
        {BOOT_USB_UNREACHED, true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        fresh(state);
        controller(RID(0, 0, 0x14, 0));
        running(RID(0, 0, 0x1f, 0));
        answer = cases[i].answer;
        pci_silence(false, &found);
        assert_int_equal(asked, 1);
        assert_int_equal(masters_when_asked, 1);
        assert_int_equal(model_bus_masters(), 0);
        assert_int_equal(found.usb_count, 1);
        assert_int_equal(found.usb[0].rid, RID(0, 0, 0x14, 0));
        assert_int_equal(found.usb[0].interface, 0x30);
        assert_int_equal(found.usb[0].result, cases[i].answer);
        assert_int_equal(pci_silenced(RID(0, 0, 0x14, 0)), cases[i].returned);
        assert_true(pci_silenced(RID(0, 0, 0x1f, 0)));
        /* The hypervisor looks again. */
        pci_silence(false, &found);
        assert_int_equal(asked, 1);
        assert_int_equal(found.usb_count, 1);
    }
}

static void more_usb_controllers_than_are_noted(void **state)
{
    for (unsigned device = 0; device < BOOT_MAX_USB + 2; device++)
        controller(RID(0, 0, device, 0));
    pci_silence(false, &found);
    assert_int_equal(asked, BOOT_MAX_USB);
    assert_int_equal(found.usb_count, BOOT_MAX_USB);
    assert_int_equal(model_bus_masters(), 0);
    pci_silence(false, &found);
    assert_int_equal(asked, BOOT_MAX_USB);
}

/* What shows the screen goes on; a card's display does not. */
static void a_display_of_the_chipset_goes_on(void **state)
{
    struct model_function *chipset = running(RID(0, 0, 2, 0));
    model_put(chipset, 8, 4, 0x03000000);
    model_bridge(RID(0, 0, 1, 0), 1, 1);
    struct model_function *card = running(RID(0, 1, 0, 0));
    model_put(card, 8, 4, 0x03000000);
    pci_silence(false, &found);
    assert_int_equal(model_get(chipset, 4, 2), 0x0507);
    assert_int_equal(model_get(card, 4, 2), 0x0503);
    assert_false(pci_silenced(RID(0, 0, 2, 0)));
    assert_true(pci_silenced(RID(0, 1, 0, 0)));
}

/* Every bus is looked at once, whatever bridges say about it. */
static void lying_bridges_do_not_hold_it_up(void **state)
{
    for (unsigned device = 1; device < 8; device++)
        model_bridge(RID(0, 0, device, 0), (uint8_t)(device & 3), 255);
    model_bridge(RID(0, 1, 0, 0), 0, 255);
    model_bridge(RID(0, 2, 0, 0), 1, 255);
    running(RID(0, 3, 0, 0));
    pci_silence(false, &found);
    assert_int_equal(model_bus_masters(), 0);
    assert_in_range(accesses, 4 * 32, 4 * 32 + 64);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(whatever_runs_stops),
        TEST(what_the_loader_found_is_kept),
        TEST(other_root_buses_are_tried_when_asked),
        TEST(usb_controllers_come_last),
        TEST(more_usb_controllers_than_are_noted),
        TEST(a_display_of_the_chipset_goes_on),
        TEST(lying_bridges_do_not_hold_it_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
