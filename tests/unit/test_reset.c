/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/pci/reset.c hypervisor/pci/saved.c hypervisor/pci/functions.c
// SOURCES: hypervisor/setup/pci_functions.c hypervisor/setup/pci_capabilities.c
// SOURCES: hypervisor/pci/acs.c hypervisor/setup/pci_acs.c hypervisor/pci/life.c
// SOURCES: hypervisor/base/format.c hypervisor/base/status.c tests/unit/model/pci_model.c
// SOURCES: tests/unit/model/pci_routing.c
// SOURCES: hypervisor/pci/sriov.c
// SOURCES: hypervisor/pci/bars.c
// SOURCES: hypervisor/setup/pci_known.c
/* Function level reset: order, what is restored, and devices that do not come back. */
#include "hypervisor/base/clock.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/setup/pci_capabilities.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/pci/acs.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/setup/pci_functions.h"
#include "hypervisor/setup/pci.h"
#include "tests/unit/model/pci_model.h"
#include "tests/unit/support/host.h"

static struct model_function *device;
static struct pci_function *function;

static int fresh(void **state)
{
    model_clear();
    pci_functions_clear();
    host_log_clear();
    host_clock_set(0);
    device = model_endpoint(RID(0, 0, 2, 0), 0x8086, 0x10ca, 0x020000);
    model_bar(device, 0, (struct model_bar){.size = 0x20000, .base = 0xfe000000});
    model_bar(device, 3,
              (struct model_bar){.size = 0x4000, .base = UINT64_C(0x812340000), .is_64bit = true});
    model_put(device, 4, 2, 0x0547);
    model_put(device, 0x0c, 1, 16);
    return 0;
}

static void add(void)
{
    struct pci_function f = {.rid = device->rid, .vendor = 0x8086, .device = 0x10ca};
    pci_capabilities_read(&f);
    function = pci_function_add(&f);
}

static void pcie(void)
{
    model_pcie(device, 0xa0, 0, true);
    model_put(device, 0xa8, 2, 0x2a30);
    add();
}

static void configuration_survives_but_bus_mastering(void **state)
{
    pcie();
    uint64_t before = clock_microseconds();
    assert_int_equal(pci_function_reset(function), STATUS_OK);
    assert_true(clock_microseconds() - before >= 100000);
    assert_int_equal(device->resets, 1);
    assert_int_equal(model_get(device, 0x10, 4), 0xfe000000);
    assert_int_equal(model_get(device, 0x1c, 4), 0x12340004);
    assert_int_equal(model_get(device, 0x20, 4), 8);
    assert_int_equal(model_get(device, 4, 2), 0x0443);
    assert_int_equal(model_get(device, 0x0c, 1), 16);
    assert_int_equal(model_get(device, 0xa8, 2), 0x2030); /* neither phantoms nor no-snoop */
    assert_string_equal(model_last_violation(), "");
}

/* Not even when it stood before the reset: a device may have registers of its own that set it. */
static void what_must_stay_off_is_not_restored(void **state)
{
    model_writable(device, 0x30, 4, 0xffff0001);
    model_put(device, 0x30, 4, 0xfd000001);
    pcie();
    model_put(device, 0xa8, 2, 0x2a3f); /* errors, no-snoop and phantom functions */
    assert_int_equal(pci_function_reset(function), STATUS_OK);
    assert_int_equal(model_get(device, 0xa8, 2), 0x2030);
    assert_int_equal(model_get(device, 4, 2) & PCI_COMMAND_SERR, 0);
    assert_int_equal(model_get(device, 0x30, 4), 0xfd000000);
}

/* Or requests could turn around inside the device from its first reset on. */
static void access_control_survives(void **state)
{
    model_acs(device, 0x100, 0x000c);
    pcie();
    acs_enable_all();
    assert_int_equal(model_get(device, 0x106, 2), 0x000c);
    assert_int_equal(pci_function_reset(function), STATUS_OK);
    assert_int_equal(device->resets, 1);
    assert_int_equal(model_get(device, 0x106, 2), 0x000c);
}

static void advanced_features(void **state)
{
    model_capability(device, 0x90, PCI_CAP_AF);
    model_put(device, 0x92, 2, 0x0306);
    device->cap_af = 0x90;
    add();
    assert_int_equal(pci_function_reset(function), STATUS_OK);
    assert_int_equal(device->resets, 1);
    assert_int_equal(model_get(device, 4, 2), 0x0443);
    assert_int_equal(model_violations(), 0);
}

static void no_reset_is_said(void **state)
{
    model_pcie(device, 0xa0, 0, false);
    model_capability(device, 0x90, PCI_CAP_AF);
    model_put(device, 0x92, 2, 0x0106); /* no FLR bit */
    add();
    assert_int_equal(pci_function_reset(function), STATUS_UNSUPPORTED);
    assert_int_equal(device->resets, 0);
    assert_int_equal(model_get(device, 4, 2), 0x0547);
    assert_int_equal(host_log_count("pci.reset", "status=unsupported"), 1);
}

static void a_stuck_device_is_bounded(void **state)
{
    pcie();
    device->pending_stuck = true;
    uint64_t before = clock_microseconds();
    assert_int_equal(pci_function_reset(function), STATUS_TIMEOUT);
    assert_in_range(clock_microseconds() - before, 2000000, 3000000);
    assert_int_equal(device->resets, 1);
    assert_int_equal(model_get(device, 4, 2) & 4, 0);
}

static void a_dead_device_is_bounded(void **state)
{
    pcie();
    device->dies_in_reset = true;
    uint64_t before = clock_microseconds();
    assert_int_equal(pci_function_reset(function), STATUS_TIMEOUT);
    assert_in_range(clock_microseconds() - before, 1000000, 2000000);
    assert_int_equal(host_log_count("pci.reset", "does not answer"), 1);
}

static void a_pf_with_vfs_is_not_reset(void **state)
{
    pcie();
    function->num_vfs = 1;
    assert_int_equal(pci_function_reset(function), STATUS_BUSY);
    assert_int_equal(device->resets, 0);
    function->num_vfs = 0;
    assert_int_equal(pci_function_reset(function), STATUS_OK);
}

static void a_vf_is_reset(void **state)
{
    model_put(device, 0, 4, 0xffffffff);
    device->is_vf = true;
    struct model_function pf = {0};
    device->pf = &pf;
    model_pcie(device, 0xa0, 0, true);
    struct pci_function f = {.rid = device->rid, .vendor = 0x8086, .device = 0x10ca, .is_vf = true};
    pci_capabilities_read(&f);
    function = pci_function_add(&f);
    assert_int_equal(pci_function_reset(function), STATUS_OK);
    assert_int_equal(device->resets, 1);
    assert_int_equal(model_get(device, 4, 2) & 4, 0);
    assert_int_equal(model_violations(), 0);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(configuration_survives_but_bus_mastering),
        TEST(what_must_stay_off_is_not_restored),
        TEST(access_control_survives),
        TEST(advanced_features),
        TEST(no_reset_is_said),
        TEST(a_stuck_device_is_bounded),
        TEST(a_dead_device_is_bounded),
        TEST(a_pf_with_vfs_is_not_reset),
        TEST(a_vf_is_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
