/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/pci/reset.c hypervisor/pci/reset_xhci.c hypervisor/pci/saved.c
// SOURCES: hypervisor/pci/functions.c hypervisor/setup/pci_functions.c
// SOURCES: hypervisor/setup/pci_capabilities.c hypervisor/pci/acs.c hypervisor/pci/life.c
// SOURCES: hypervisor/base/format.c hypervisor/base/status.c tests/unit/model/pci_model.c
// SOURCES: hypervisor/pci/sriov.c hypervisor/pci/bars.c hypervisor/setup/usb.c
// SOURCES: tests/unit/model/pci_routing.c
// SOURCES: hypervisor/setup/pci_known.c
/* A USB controller on the root bus, which nothing but itself resets. */
#include <string.h>

#include "hypervisor/base/clock.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/pci/reset_xhci.h"
#include "hypervisor/setup/pci.h"
#include "hypervisor/setup/pci_buses.h"
#include "hypervisor/setup/pci_capabilities.h"
#include "hypervisor/setup/pci_functions.h"
#include "tests/unit/model/pci_model.h"
#include "tests/unit/support/host.h"

#define BASE        UINT64_C(0x603f180000)
#define OPERATIONAL 0x80u
#define PM          0xc8
#define PCIE        0xa0

/* Registers, xHCI 5.4. */
static struct {
    bool running, deaf; /* deaf: a reset does nothing */
    uint64_t takes;     /* a reset takes so long */
    uint64_t reset_until, halted_at, touched_in_reset;
    uint32_t config;
    unsigned resets, decoding_off, mapped;
    bool unmappable, reset_while_running;
} xhci;

static struct model_function *model;
static struct pci_function *function;

static void look(uintptr_t address)
{
    assert_in_range(address, BASE, BASE + 0x1ff);
    if ((model_get(model, 4, 2) & 2) == 0)
        xhci.decoding_off++;
    if (clock_microseconds() < xhci.reset_until && !xhci.deaf)
        xhci.touched_in_reset++;
}

rid_t pci_rid_now(rid_t rid)
{
    return rid;
}

uintptr_t map_device(uint64_t physical, uint64_t size)
{
    assert_int_equal(physical, BASE);
    assert_in_range(size, 1, 0x1000);
    xhci.mapped++;
    return xhci.unmappable ? 0 : (uintptr_t)physical;
}

uint8_t mmio_read8(uintptr_t address)
{
    assert_int_equal(address, BASE);
    return OPERATIONAL;
}

uint32_t mmio_read32(uintptr_t address)
{
    look(address);
    bool resets = clock_microseconds() < xhci.reset_until;
    switch (address - BASE) {
    case OPERATIONAL:
        return (xhci.running ? 1u : 0) | (resets ? 2u : 0);
    case OPERATIONAL + 4:
        return (xhci.running ? 0 : 1u) | (resets ? 0x800u : 0);
    case OPERATIONAL + 0x38:
        return xhci.config;
    default:
        fail_msg("read at 0x%lx", (unsigned long)(address - BASE));
        return 0;
    }
}

void mmio_write32(uintptr_t address, uint32_t value)
{
    look(address);
    if (address - BASE == OPERATIONAL + 0x38) {
        xhci.config = value;
        return;
    }
    assert_int_equal(address - BASE, OPERATIONAL);
    if ((value & 1) == 0 && xhci.running) {
        xhci.running = false;
        xhci.halted_at = clock_microseconds() + MILLISECONDS(16);
    }
    if ((value & 2) == 0)
        return;
    xhci.resets++;
    xhci.reset_while_running |= xhci.running || clock_microseconds() < xhci.halted_at;
    if (xhci.deaf)
        return;
    xhci.config = 0;
    xhci.reset_until = clock_microseconds() + xhci.takes;
}

static int fresh(void **state)
{
    model_clear();
    pci_functions_clear();
    host_log_clear();
    host_clock_set(1000);
    memset(&xhci, 0, sizeof xhci);
    xhci.running = true;
    xhci.config = 64;
    xhci.takes = MILLISECONDS(3);
    model = model_endpoint(RID(0, 0, 0x14, 0), 0x8086, 0x51ed, 0x0c0330);
    model_bar(model, 0, (struct model_bar){.size = 0x10000, .base = BASE, .is_64bit = true});
    model_put(model, 4, 2, 0x0006);
    model_pm(model, PM, true); /* as the chipsets' are: D3hot changes nothing */
    struct pci_function f = {.rid = model->rid,
                             .vendor = 0x8086,
                             .device = 0x51ed,
                             .class_code = 0x0c0330,
                             .owner = OWNER_GUEST(0)};
    f.bar[0] = (struct pci_bar){.base = BASE, .size = 0x10000, .is_64bit = true};
    pci_capabilities_read(&f);
    function = pci_function_add(&f);
    pci_usb_prepare_resets();
    return 0;
}

static void it_resets_itself(void **state)
{
    uint64_t before = clock_microseconds();
    assert_int_equal(pci_function_reset(function), STATUS_OK);
    assert_int_equal(host_log_count("pci.reset", "rid=00:14.0 method=xhci status=ok"), 1);
    assert_in_range(clock_microseconds() - before, MILLISECONDS(120), MILLISECONDS(130));
    assert_int_equal(xhci.resets, 1);
    assert_false(xhci.reset_while_running);
    assert_int_equal(xhci.touched_in_reset, 0);
    assert_int_equal(xhci.decoding_off, 0);
    assert_int_equal(model_get(model, 4, 2), 0x0002); /* decoding as it was, no bus mastering */
    assert_int_equal(model_violations(), 0);
    assert_int_equal(function->reset_method, PCI_RESET_XHCI);
}

/* Its last owner may have switched decoding off. */
static void its_registers_are_decoded_meanwhile(void **state)
{
    model_put(model, 4, 2, 0x0400);
    assert_int_equal(pci_function_reset(function), STATUS_OK);
    assert_int_equal(xhci.decoding_off, 0);
    assert_int_equal(model_get(model, 4, 2), 0x0400);
}

static void nobody_waits_for_it(void **state)
{
    struct pci_reset reset;
    enum status status;
    function->reset_method = PCI_RESET_XHCI;
    assert_int_equal(pci_reset_start(function, &reset), STATUS_OK);
    do {
        uint64_t before = clock_microseconds();
        status = pci_reset_poll(function, &reset);
        assert_in_range(clock_microseconds() - before, 0, 100);
        host_clock_advance(100);
    } while (status == STATUS_BUSY);
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(pci_function_reset(function), STATUS_OK);
    assert_int_equal(xhci.mapped, 1);
}

static void a_slow_one_has_a_second(void **state)
{
    xhci.takes = MILLISECONDS(900);
    assert_int_equal(pci_function_reset(function), STATUS_OK);
    fresh(state);
    xhci.takes = MILLISECONDS(5000);
    uint64_t before = clock_microseconds();
    assert_int_equal(pci_function_reset(function), STATUS_DEVICE);
    assert_in_range(clock_microseconds() - before, MILLISECONDS(1000), MILLISECONDS(1200));
}

static void a_reset_that_was_none_is_noticed(void **state)
{
    xhci.deaf = true;
    assert_int_equal(pci_function_reset(function), STATUS_DEVICE);
    assert_int_equal(host_log_count("pci.reset", "the controller did not reset itself"), 1);
    assert_int_equal(function->reset_method, PCI_RESET_NONE);
}

/* What is better comes first. */
static void only_where_there_is_nothing_else(void **state)
{
    model_pcie(model, PCIE, 0, true);
    pci_capabilities_read(function);
    assert_int_equal(pci_function_reset(function), STATUS_OK);
    assert_int_equal(host_log_count("pci.reset", "method=flr status=ok"), 1);
    assert_int_equal(xhci.resets, 0);
}

static void expect_none(const char *what)
{
    function->reset_registers = 0;
    pci_usb_prepare_resets();
    if (pci_function_reset(function) != STATUS_UNSUPPORTED || xhci.resets != 0)
        fail_msg("%s: it was reset", what);
}

static void not_every_function_has_such_registers(void **state)
{
    function->class_code = 0x0c0320;
    expect_none("an EHCI");
    fresh(state);
    function->bar[0].base = 0;
    expect_none("no address");
    fresh(state);
    function->bar[0].size = 0x100;
    expect_none("too small");
    fresh(state);
    function->bar[0].io = true;
    expect_none("ports");
    fresh(state);
    function->life = PCI_MISPLACED;
    expect_none("over another's registers");
    fresh(state);
    xhci.unmappable = true;
    expect_none("not mapped");
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_resets_itself),
        TEST(its_registers_are_decoded_meanwhile),
        TEST(nobody_waits_for_it),
        TEST(a_slow_one_has_a_second),
        TEST(a_reset_that_was_none_is_noticed),
        TEST(only_where_there_is_nothing_else),
        TEST(not_every_function_has_such_registers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
