/* SPDX-License-Identifier: MIT */
// SOURCES: boot/pci/usb.c hypervisor/setup/usb.c hypervisor/base/format.c hypervisor/base/status.c
/* Firmware lets go of USB controllers, or does not: a model of their registers, in which firmware
 * answers after a while, or never. */
#include <string.h>

#include "boot/paging.h"
#include "boot/pci/ports.h"
#include "boot/pci/usb.h"
#include "boot/pci/usb_registers.h"
#include "hypervisor/base/clock.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/setup/pci.h"
#include "hypervisor/setup/pci_buses.h"
#include "tests/unit/support/host.h"

rid_t pci_rid_now(rid_t rid)
{
    return rid == RID(0, 1, 0, 0) ? RID(0, 5, 0, 0) : rid; /* its bus has another number now */
}

#define RID_USB RID(0, 0, 0x14, 0)
#define BASE    UINT64_C(0x603f180000) /* above 4 GiB, as on new machines */
#define SIZE    0x10000u
#define IO_BASE 0xf000u
#define EECP    0x68u
#define LEGACY  0x8460u /* of the xHCI: the last of a list of three */
#define NEVER   UINT64_MAX

static struct {
    uint8_t interface;
    uint32_t config[64];
    uint32_t registers[SIZE / 4];
    uint16_t io[8];
    uint64_t reach;    /* the first byte that is not mapped */
    uint64_t answers;  /* firmware lets go so long after it was asked */
    uint64_t asked_at; /* 0: it was not */
    uint64_t halts;    /* it halts so long after it was told */
    uint64_t halted_at;
    unsigned beyond;         /* accesses outside of what is mapped */
    bool smi_before_release; /* SMIs were switched off before firmware had its time */
} model;

/* Nobody's reset is prepared here (test_reset_xhci.c). */
struct pci_function *pci_function_at(size_t index)
{
    return NULL;
}

uintptr_t map_device(uint64_t physical, uint64_t size)
{
    return 0;
}

/* --- configuration space --- */

static bool released(void)
{
    return model.asked_at != 0 && model.answers != NEVER &&
           clock_microseconds() >= model.asked_at + model.answers;
}

static uint32_t legacy_read(uint32_t value)
{
    return released() ? value & ~LEGSUP_BIOS_OWNED : value;
}

static uint32_t legacy_written(uint32_t value)
{
    if ((value & LEGSUP_OS_OWNED) != 0 && model.asked_at == 0)
        model.asked_at = clock_microseconds();
    return value;
}

uint8_t ports_read8(rid_t rid, unsigned offset)
{
    return (uint8_t)(model.config[offset / 4] >> offset % 4 * 8);
}

uint16_t ports_read16(rid_t rid, unsigned offset)
{
    return (uint16_t)(model.config[offset / 4] >> offset % 4 * 8);
}

uint32_t ports_read32(rid_t rid, unsigned offset)
{
    assert_int_equal(rid, RID_USB);
    assert_in_range(offset, 0, 0xff);
    uint32_t value = model.config[offset / 4];
    return model.interface == USB_EHCI && offset == EECP ? legacy_read(value) : value;
}

void ports_write16(rid_t rid, unsigned offset, uint16_t value)
{
    assert_int_equal(offset, UHCI_LEGSUP);
    model.config[offset / 4] = value;
}

void ports_write32(rid_t rid, unsigned offset, uint32_t value)
{
    assert_int_equal(model.interface, USB_EHCI);
    assert_true(offset == EECP || offset == EECP + LEGCTLSTS);
    if (offset == EECP)
        value = legacy_written(value);
    else
        model.smi_before_release |= model.answers != NEVER && !released();
    model.config[offset / 4] = value;
}

uint16_t port_read16(uint16_t port)
{
    return model.io[(port - IO_BASE) / 2];
}

void port_write16(uint16_t port, uint16_t value)
{
    assert_in_range(port, IO_BASE, IO_BASE + 15);
    model.io[(port - IO_BASE) / 2] = value;
    if (port == IO_BASE + UHCI_USBCMD && (value & 1) == 0)
        model.io[UHCI_USBSTS / 2] |= UHCI_USBSTS_HALTED;
}

/* --- registers --- */

bool paging_reaches(uint64_t address)
{
    return address < model.reach;
}

static uint32_t offset_of(uintptr_t address)
{
    if (address < BASE || address >= BASE + SIZE || address >= model.reach) {
        model.beyond++;
        return 0;
    }
    return (uint32_t)(address - BASE);
}

static uint32_t operational(void)
{
    return model.registers[0] & 0xff;
}

uint32_t mmio_read32(uintptr_t address)
{
    uint32_t offset = offset_of(address), value = model.registers[offset / 4];
    bool xhci = model.interface == USB_XHCI, ehci = model.interface == USB_EHCI;
    bool halted = model.halted_at != 0 && clock_microseconds() >= model.halted_at;
    if (xhci && offset == LEGACY)
        return legacy_read(value);
    if (xhci && offset == operational() + XHCI_USBSTS)
        return value | (halted ? XHCI_USBSTS_HALTED : 0);
    if (ehci && offset == operational() + EHCI_USBSTS)
        return value | (halted ? EHCI_USBSTS_HALTED : 0);
    if (model.interface == USB_OHCI && offset == OHCI_CONTROL && released())
        return value & ~OHCI_CONTROL_ROUTED;
    return value;
}

void mmio_write32(uintptr_t address, uint32_t value)
{
    uint32_t offset = offset_of(address);
    bool xhci = model.interface == USB_XHCI;
    if (xhci && offset == LEGACY)
        value = legacy_written(value);
    if (xhci && offset == LEGACY + LEGCTLSTS)
        model.smi_before_release |= model.answers != NEVER && !released();
    if (model.interface == USB_OHCI && offset == OHCI_COMMAND &&
        (value & OHCI_COMMAND_REQUEST) != 0)
        model.asked_at = clock_microseconds();
    if (model.interface != USB_OHCI && offset == operational() && (value & 1) == 0)
        model.halted_at = clock_microseconds() + model.halts;
    model.registers[offset / 4] = value;
}

/* --- machines --- */

static void fresh(uint8_t interface, uint64_t answers)
{
    memset(&model, 0, sizeof model);
    host_clock_set(1000);
    host_log_clear();
    model.interface = interface;
    model.answers = answers;
    model.halts = 2000;
    model.reach = UINT64_MAX;
    model.config[1] = 6; /* memory, bus master */
    model.config[4] = (uint32_t)BASE | 4;
    model.config[5] = (uint32_t)(BASE >> 32);
}

static void xhci(uint64_t answers)
{
    fresh(USB_XHCI, answers);
    model.registers[0] = 0x01100080;
    model.registers[XHCI_HCCPARAMS1 / 4] = 0x200007c1; /* the list begins at 0x8000 */
    model.registers[0x8000 / 4] = 0x02000802;          /* supported protocol; 0x20 further */
    model.registers[0x8020 / 4] = 110u << 8 | 3;       /* something else */
    model.registers[(0x8020 + 110 * 4) / 4] = 0x000000c0 | (LEGACY - 0x8020 - 110 * 4) / 4 << 8;
    model.registers[LEGACY / 4] = LEGSUP_BIOS_OWNED | XHCI_CAP_LEGACY;
    model.registers[(LEGACY + LEGCTLSTS) / 4] = 0xffffffff;
    model.registers[0x80 / 4] = 0x0000000d; /* runs */
}

static void ehci(uint64_t answers)
{
    fresh(USB_EHCI, answers);
    model.registers[0] = 0x01000020;
    model.registers[EHCI_HCCPARAMS / 4] = EECP << 8 | 6;
    model.config[EECP / 4] = LEGSUP_BIOS_OWNED | EHCI_CAP_LEGACY;
    model.config[EECP / 4 + 1] = 0x0000e03f;
    model.registers[0x20 / 4] = 0x00080031;
    model.registers[0x28 / 4] = 0x3f;
}

static enum boot_usb_result take(void)
{
    enum boot_usb_result result = usb_take(RID_USB, model.interface);
    assert_int_equal(model.beyond, 0);
    return result;
}

/* --- tests --- */

static void xhci_is_handed_over(void **state)
{
    xhci(MILLISECONDS(700));
    assert_int_equal(take(), BOOT_USB_TAKEN);
    assert_int_equal(legacy_read(model.registers[LEGACY / 4]), LEGSUP_OS_OWNED | XHCI_CAP_LEGACY);
    /* What is reserved stays, enables are off, events cleared. */
    assert_int_equal(model.registers[(LEGACY + LEGCTLSTS) / 4], 0xe00e1fee);
    assert_false(model.smi_before_release);
    assert_int_equal(model.registers[0x80 / 4], 0);
    assert_true(clock_microseconds() >= model.halted_at);
    assert_in_range(clock_microseconds(), MILLISECONDS(700), MILLISECONDS(720));
}

/* A bit that never clears: a second, then it is taken by force. */
static void a_bios_that_does_not_let_go(void **state)
{
    xhci(NEVER);
    assert_int_equal(take(), BOOT_USB_STUCK);
    assert_in_range(clock_microseconds(), MILLISECONDS(1000), MILLISECONDS(1110));
    assert_int_equal(model.registers[LEGACY / 4], LEGSUP_OS_OWNED | XHCI_CAP_LEGACY);
    assert_int_equal(model.registers[(LEGACY + LEGCTLSTS) / 4], 0xe00e1fee);
    assert_int_equal(model.registers[0x80 / 4], 0);
    ehci(NEVER);
    assert_int_equal(take(), BOOT_USB_STUCK);
    assert_in_range(clock_microseconds(), MILLISECONDS(1000), MILLISECONDS(1110));
    assert_int_equal(model.config[EECP / 4], LEGSUP_OS_OWNED | EHCI_CAP_LEGACY);
    assert_int_equal(model.config[EECP / 4 + 1], LEGCTLSTS_EVENTS);
    fresh(USB_OHCI, NEVER);
    model.registers[0] = 0x110;
    model.registers[OHCI_CONTROL / 4] = OHCI_CONTROL_ROUTED | OHCI_CONTROL_KEEP | 0x80;
    assert_int_equal(take(), BOOT_USB_STUCK);
    assert_in_range(clock_microseconds(), MILLISECONDS(1000), MILLISECONDS(1110));
    assert_int_equal(model.registers[OHCI_CONTROL / 4], OHCI_CONTROL_KEEP);
}

static void ehci_is_handed_over(void **state)
{
    ehci(MILLISECONDS(5));
    assert_int_equal(take(), BOOT_USB_TAKEN);
    assert_int_equal(model.config[EECP / 4 + 1], LEGCTLSTS_EVENTS);
    assert_false(model.smi_before_release);
    assert_int_equal(model.registers[0x20 / 4], 0x00080000);
    assert_int_equal(model.registers[0x28 / 4], 0);
    assert_true(clock_microseconds() >= model.halted_at);
}

static void ohci_is_handed_over(void **state)
{
    fresh(USB_OHCI, MILLISECONDS(20));
    model.registers[0] = 0x110;
    model.registers[OHCI_CONTROL / 4] = OHCI_CONTROL_ROUTED | OHCI_CONTROL_KEEP | 0x80;
    assert_int_equal(take(), BOOT_USB_TAKEN);
    assert_int_equal(model.registers[OHCI_INTERRUPT_ENABLE / 4], OHCI_OWNERSHIP_CHANGE);
    assert_int_equal(model.registers[OHCI_INTERRUPT_DISABLE / 4], UINT32_MAX);
    assert_int_equal(model.registers[OHCI_CONTROL / 4], OHCI_CONTROL_KEEP);
}

static void uhci_traps_nothing_any_more(void **state)
{
    fresh(USB_UHCI, NEVER);
    model.config[1] = 5;
    model.config[UHCI_BAR / 4] = IO_BASE | 1;
    model.config[UHCI_LEGSUP / 4] = 0x20bf;
    model.io[0] = 0xc1;
    model.io[UHCI_USBINTR / 2] = 0xf;
    assert_int_equal(take(), BOOT_USB_TAKEN);
    assert_int_equal(model.config[UHCI_LEGSUP / 4] & 0xffff, UHCI_LEGSUP_CLEAR);
    assert_int_equal(model.io[0], 0);
    assert_int_equal(model.io[UHCI_USBINTR / 2], 0);
    fresh(USB_UHCI, NEVER); /* its ports are off */
    assert_int_equal(take(), BOOT_USB_TAKEN);
}

/* Nobody waits a second for a controller that firmware has not got. */
static void what_firmware_does_not_own(void **state)
{
    xhci(NEVER);
    model.registers[LEGACY / 4] = XHCI_CAP_LEGACY;
    assert_int_equal(take(), BOOT_USB_TAKEN);
    assert_in_range(clock_microseconds(), 0, MILLISECONDS(110));
    xhci(NEVER);
    model.registers[XHCI_HCCPARAMS1 / 4] = 0; /* no such capability */
    assert_int_equal(take(), BOOT_USB_TAKEN);
    assert_int_equal(model.registers[0x80 / 4], 0);
    xhci(NEVER);
    model.config[1] = 4;
    assert_int_equal(take(), BOOT_USB_UNUSED);
    assert_int_equal(model.registers[0x80 / 4], 0x0d);
    fresh(0xfe, NEVER); /* a device on the bus's other end */
    assert_int_equal(take(), BOOT_USB_UNUSED);
}

static void what_cannot_be_reached(void **state)
{
    xhci(0);
    model.reach = GIB(4);
    assert_int_equal(take(), BOOT_USB_UNREACHED);
    xhci(0);
    model.reach = BASE + 0x8000; /* the list of capabilities is not */
    assert_int_equal(take(), BOOT_USB_UNREACHED);
    xhci(0);
    model.config[4] = model.config[5] = 0;
    assert_int_equal(take(), BOOT_USB_UNREACHED);
    xhci(0);
    model.config[4] = IO_BASE | 1;
    assert_int_equal(take(), BOOT_USB_UNREACHED);
    xhci(0);
    model.registers[0] = UINT32_MAX; /* it is gone */
    assert_int_equal(take(), BOOT_USB_UNREACHED);
    assert_in_range(clock_microseconds(), 0, MILLISECONDS(110));
}

/* Lists that never end, and lists that leave the registers. */
static void hostile_lists_end(void **state)
{
    xhci(NEVER);
    model.reach = BASE + SIZE;
    for (unsigned i = 0; i < SIZE / 4; i++)
        model.registers[i] |= 0xff00;
    assert_int_equal(take(), BOOT_USB_UNREACHED);
    assert_in_range(clock_microseconds(), 0, MILLISECONDS(200));
    ehci(0);
    model.config[EECP / 4] = EECP << 8 | 2; /* leads to itself */
    assert_int_equal(take(), BOOT_USB_TAKEN);
    assert_in_range(clock_microseconds(), 0, MILLISECONDS(200));
}

static void one_that_does_not_halt(void **state)
{
    xhci(0);
    model.halts = MILLISECONDS(1000000);
    assert_int_equal(take(), BOOT_USB_TAKEN);
    assert_in_range(clock_microseconds(), MILLISECONDS(100), MILLISECONDS(110));
}

static void the_log_says_what_came_of_it(void **state)
{
    static struct boot_info boot = {
        .usb_count = 5,
        .usb = {{0xa0, 0x30, BOOT_USB_TAKEN},
                {0xe8, 0x20, BOOT_USB_STUCK},
                {0xd0, 0x00, BOOT_USB_UNREACHED},
                {0x100, 0x10, BOOT_USB_UNUSED},
                {0x108, 0xfe, 99}},
    };
    host_log_clear();
    pci_usb_report(&boot);
    assert_int_equal(host_log_count("usb.handoff", "rid=00:14.0 kind=xhci status=ok"), 1);
    assert_int_equal(host_log_count("usb.handoff", "rid=00:1d.0 kind=ehci status=timeout message="
                                                   "\"firmware did not let go of it within"),
                     1);
    assert_int_equal(host_log_count("usb.handoff", "rid=00:1a.0 kind=uhci status=unsupported"), 1);
    assert_int_equal(host_log_count("usb.handoff", "rid=05:00.0 kind=ohci status=ok"), 1);
    assert_int_equal(host_log_count("usb.handoff", "rid=01:01.0 kind=other status=busy"), 1);
    boot.usb_count = 1000000; /* a loader that lies */
    host_log_clear();
    pci_usb_report(&boot);
    assert_int_equal(host_log_count("usb.handoff", NULL), BOOT_MAX_USB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(xhci_is_handed_over),
        cmocka_unit_test(a_bios_that_does_not_let_go),
        cmocka_unit_test(ehci_is_handed_over),
        cmocka_unit_test(ohci_is_handed_over),
        cmocka_unit_test(uhci_traps_nothing_any_more),
        cmocka_unit_test(what_firmware_does_not_own),
        cmocka_unit_test(what_cannot_be_reached),
        cmocka_unit_test(hostile_lists_end),
        cmocka_unit_test(one_that_does_not_halt),
        cmocka_unit_test(the_log_says_what_came_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
