/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/vdev/ports.c hypervisor/vdev/virtual_serial.c hypervisor/base/string.c
// SOURCES: hypervisor/vdev/virtual_rtc.c hypervisor/base/calendar.c
/* The ports of Linux guests: a 16550 as drivers probe it, configuration mechanism 1, sleep, reset,
 * exit. */
#include <string.h>

#include "hypervisor/vdev/calls.h"
#include "hypervisor/vdev/virtual_bus.h"
#include "hypervisor/vdev/ports.h"
#include "hypervisor/vdev/virtual_serial.h"
#include "hypervisor/memory/pages.h"
#include "tests/unit/support/host.h"

#define DATA 0
#define IER  1
#define IIR  2
#define LCR  3
#define MCR  4
#define LSR  5
#define MSR  6
#define SCR  7

static struct guest guest;
static struct vcpu vcpu = {.guest = &guest};

static struct {
    unsigned count;
    uint64_t offset;
    unsigned width;
    bool write;
    uint64_t value;
} config;

void virtual_bus_config(struct guest *accessed, uint64_t offset, unsigned width, bool write,
                        uint64_t *value)
{
    assert_ptr_equal(accessed, &guest);
    config.count++;
    config.offset = offset;
    config.width = width;
    config.write = write;
    config.value = *value;
    if (!write)
        *value = 0x11223344;
}

uint64_t rtc_seconds(void)
{
    return UINT64_C(1795777499); /* 2026-11-27 11:04:59 */
}

static uint64_t event;

void guest_note_event(struct guest *noted, uint64_t value)
{
    assert_ptr_equal(noted, &guest);
    event = value;
}

void guest_note_end(struct guest *ended, const char *reason, uint64_t status)
{
    assert_ptr_equal(ended, &guest);
    strcpy(guest.stop_reason, reason);
    guest.exit_status = status;
    guest.end_noted = 1;
}

static int fresh(void **state)
{
    guest = (struct guest){.serial = pages_allocate(1), .ports = true};
    memset(&config, 0, sizeof config);
    assert_non_null(guest.serial);
    virtual_serial_reset(guest.serial);
    return 0;
}

static int done(void **state)
{
    if (guest.serial != NULL)
        pages_free(guest.serial, 1);
    return 0;
}

static uint32_t in(uint16_t port, unsigned width)
{
    uint32_t value = 0x5a5a5a5a;
    assert_true(ports_access(&vcpu, port, width, false, &value));
    return value;
}

static void out(uint16_t port, unsigned width, uint32_t value)
{
    assert_true(ports_access(&vcpu, port, width, true, &value));
}

static uint8_t get(unsigned offset)
{
    return (uint8_t)in((uint16_t)(PORT_SERIAL + offset), 1);
}

static void put(unsigned offset, uint8_t value)
{
    out((uint16_t)(PORT_SERIAL + offset), 1, value);
}

/* --- which there are --- */

static void no_other_port_exists(void **state)
{
    for (uint32_t port = 0; port <= UINT16_MAX; port++) {
        bool known = port == 0xf4 || port == 0xf5 || (port >= 0x40 && port <= 0x43) ||
                     port == 0x70 || port == 0x71 || (port >= 0x3f8 && port <= 0x3ff) ||
                     (port >= 0x600 && port <= 0x602) || port == 0xcf8 ||
                     (port >= 0xcfc && port <= 0xcff);
        uint32_t value = 0;
        assert_int_equal(ports_access(&vcpu, (uint16_t)port, 1, false, &value), known);
    }
    uint32_t value = 0;
    assert_false(ports_access(&vcpu, 0x3f8, 2, false, &value)); /* registers of a byte */
    assert_false(ports_access(&vcpu, 0x600, 4, true, &value));
    guest.ports = false;
    for (uint32_t port = 0; port <= UINT16_MAX; port++)
        assert_false(ports_access(&vcpu, (uint16_t)port, 1, true, &value)); /* not Linux: none */
}

static void the_date(void **state)
{
    assert_int_equal(in(0x42, 1), 0); /* no timer: not a counter that stands still */
    out(0x70, 1, 0x89);               /* with NMIs gated, as some do */
    assert_int_equal(in(0x71, 1), 0x26);
    out(0x71, 1, 0x99); /* cannot be set */
    assert_int_equal(in(0x71, 1), 0x26);
    out(0x70, 1, 0x0a);
    assert_int_equal(in(0x71, 1) & 0x80, 0); /* nobody waits for an update to end */
    out(0x70, 1, 0x04);
    assert_int_equal(in(0x71, 1), 0x11);
    assert_int_equal(in(0x70, 1), 0xff);
}

static void ends(void **state)
{
    out(PORT_EXIT, 4, 0x102);
    assert_string_equal(guest.stop_reason, "exit");
    assert_int_equal(guest.exit_status, 0x102);

    out(PORT_EVENT, 1, 7);
    assert_int_equal(event, 7);

    guest.end_noted = 0;
    out(PORT_SLEEP_CONTROL, 1, 0x20 | 4 << 2); /* S4 is not offered */
    out(PORT_SLEEP_CONTROL, 1, 5 << 2);        /* not yet */
    out(PORT_SLEEP_STATUS, 1, 0x20 | 5 << 2);
    assert_int_equal(guest.end_noted, 0);
    assert_int_equal(in(PORT_SLEEP_STATUS, 1), 0);
    out(PORT_SLEEP_CONTROL, 1, 0x20 | 5 << 2);
    assert_string_equal(guest.stop_reason, "exit");
    assert_int_equal(guest.exit_status, 0);

    guest.end_noted = 0;
    out(PORT_RESET, 1, 0x06);
    assert_int_equal(guest.end_noted, 0);
    out(PORT_RESET, 1, RESET_VALUE);
    assert_string_equal(guest.stop_reason, "reset");
}

/* --- configuration mechanism 1 --- */

static void config_ports_reach_bus_0(void **state)
{
    out(PORT_PCI_ADDRESS, 4, 0x80000810); /* 00:01.0, offset 0x10 */
    assert_int_equal(in(PORT_PCI_ADDRESS, 4), 0x80000810);
    assert_int_equal(in(PORT_PCI_DATA, 4), 0x11223344);
    assert_int_equal(config.offset, 0x8010);
    assert_int_equal(config.width, 4);
    assert_false(config.write);
    out(PORT_PCI_DATA + 2, 2, 0xabcd);
    assert_int_equal(config.offset, 0x8012);
    assert_int_equal(config.value, 0xabcd);
    assert_true(config.write);
    assert_int_equal(in(PORT_PCI_DATA + 3, 1) & 0xff, 0x44);
    assert_int_equal(config.offset, 0x8013);
}

static void config_ports_reach_nothing_else(void **state)
{
    out(PORT_PCI_ADDRESS, 4, 0x80010800); /* bus 1 */
    assert_int_equal(in(PORT_PCI_DATA, 4), UINT32_MAX);
    out(PORT_PCI_ADDRESS, 4, 0x00000800); /* not enabled */
    assert_int_equal(in(PORT_PCI_DATA, 4), UINT32_MAX);
    out(PORT_PCI_DATA, 4, 1);
    assert_int_equal(config.count, 0);
    out(PORT_PCI_ADDRESS, 4, UINT32_MAX);
    assert_int_equal(in(PORT_PCI_ADDRESS, 4), 0x80fffffc);
    out(PORT_PCI_ADDRESS, 1, 0); /* of a byte: not this mechanism's */
    assert_int_equal(in(PORT_PCI_ADDRESS, 4), 0x80fffffc);
}

/* --- the serial line --- */

/* What Linux' 8250 driver does to find out what it has. */
static void probed_as_a_16550(void **state)
{
    put(IER, 0);
    assert_int_equal(get(IER), 0);
    put(IER, 0x0f);
    assert_int_equal(get(IER), 0x0f);
    put(IER, 0xf0);
    assert_int_equal(get(IER), 0);
    put(MCR, 0x10 | 0x0a); /* loop-back: OUT2 and RTS come back as DCD and CTS */
    assert_int_equal(get(MSR) & 0xf0, 0x90);
    put(MCR, 0);
    put(SCR, 0xa5);
    assert_int_equal(get(SCR), 0xa5);
    put(LCR, 0x80);
    put(DATA, 0x12);
    put(IER, 0x34);
    assert_int_equal(get(DATA), 0x12);
    assert_int_equal(get(IER), 0x34);
    put(LCR, 3);
    assert_int_equal(get(LCR), 3);
    assert_int_equal(get(IER), 0);
    assert_int_equal(get(IIR) & 0xc0, 0);
    put(IIR, 1); /* FIFO control */
    assert_int_equal(get(IIR), 0xc1);
    put(LSR, 0xff); /* read-only */
    assert_int_equal(get(LSR), 0x60);
}

static void sends_until_the_ring_is_full(void **state)
{
    char taken[64];
    unsigned sent = 0, received = 0;
    while ((get(LSR) & 0x20) != 0) {
        put(DATA, (uint8_t)('a' + sent % 26));
        assert_true(++sent < 100000);
    }
    put(DATA, '!'); /* a driver that does not look loses its byte, no other's */
    for (size_t size; (size = virtual_serial_take(guest.serial, taken, sizeof taken)) != 0;)
        for (size_t i = 0; i < size; i++)
            assert_int_equal(taken[i], 'a' + received++ % 26);
    assert_int_equal(received, sent);
    assert_int_equal(get(LSR), 0x60);
}

static void tells_when_it_can_send(void **state)
{
    assert_int_equal(get(IIR) & 0x0f, 1);
    put(IER, 2);
    assert_int_equal(get(IIR) & 0x0f, 2);
    assert_int_equal(get(IIR) & 0x0f, 1); /* told once */
    put(DATA, 'x');
    assert_int_equal(get(IIR) & 0x0f, 2);
}

static void receives_what_is_typed(void **state)
{
    put(IER, 1);
    assert_int_equal(get(LSR) & 1, 0);
    assert_int_equal(get(DATA), 0);
    unsigned typed = 0;
    while (virtual_serial_type(guest.serial, (char)('a' + typed % 26)))
        assert_true(++typed < 100000);
    assert_int_equal(get(IIR) & 0x0f, 4);
    for (unsigned i = 0; i < typed; i++) {
        assert_int_equal(get(LSR) & 1, 1);
        assert_int_equal(get(DATA), 'a' + i % 26);
    }
    assert_int_equal(get(LSR) & 1, 0);
    assert_true(virtual_serial_type(guest.serial, 'z'));
    put(IIR, 1 | 2); /* clears the receiver's FIFO */
    assert_int_equal(get(LSR) & 1, 0);
}

static void starts_anew(void **state)
{
    put(SCR, 1);
    put(DATA, 'x');
    assert_true(virtual_serial_type(guest.serial, 'y'));
    virtual_serial_reset(guest.serial);
    char byte;
    assert_int_equal(virtual_serial_take(guest.serial, &byte, 1), 0);
    assert_int_equal(get(LSR), 0x60);
    assert_int_equal(get(SCR), 0);
    assert_int_equal(virtual_serial_accesses(guest.serial), 4);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)
    const struct CMUnitTest tests[] = {
        TEST(no_other_port_exists),
        TEST(the_date),
        TEST(ends),
        TEST(config_ports_reach_bus_0),
        TEST(config_ports_reach_nothing_else),
        TEST(probed_as_a_16550),
        TEST(sends_until_the_ring_is_full),
        TEST(tells_when_it_can_send),
        TEST(receives_what_is_typed),
        TEST(starts_anew),
    };
    return cmocka_run_group_tests_name("ports", tests, NULL, NULL);
}
