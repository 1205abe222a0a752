/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/vdev/virtual_config.c hypervisor/assign/view.c hypervisor/pci/life.c
// SOURCES: hypervisor/setup/view_vendor.c hypervisor/pci/functions.c hypervisor/pci/msix.c
// SOURCES: hypervisor/setup/pci_functions.c hypervisor/setup/pci_capabilities.c
// SOURCES: hypervisor/base/format.c hypervisor/base/status.c hypervisor/base/string.c
// SOURCES: hypervisor/base/text.c tests/unit/model/pci_model.c
// SOURCES: tests/unit/model/pci_routing.c
// SOURCES: hypervisor/setup/pci_known.c
/* Vendor-specific capabilities as a guest sees them: those of a virtio VF, by which its driver
 * finds its registers, and impossible ones. */
#include <string.h>

#include "hypervisor/memory/pages.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/setup/pci_capabilities.h"
#include "hypervisor/setup/pci_functions.h"
#include "hypervisor/setup/view.h"
#include "hypervisor/vdev/virtual_config.h"
#include "hypervisor/vdev/virtual_msix.h"
#include "tests/unit/model/pci_model.h"
#include "tests/unit/support/host.h"

static struct model_function *model;
static struct pci_function function;
static struct assignment device;
static struct guest guest = {.name = "alpha"};

void iommu_interrupts_release(const struct pci_function *of)
{
}

void virtual_msix_update(struct assignment *of)
{
}

static uint32_t read(unsigned offset, unsigned width)
{
    return virtual_config_read(&device, offset, width);
}

/* cfg_type, bar, offset, length (virtio 1.3, 4.1.4). */
static void virtio(unsigned at, unsigned size, uint32_t type, uint32_t offset, uint32_t length)
{
    model_capability(model, at, PCI_CAP_VENDOR);
    model_put(model, at + 2, 1, size);
    model_put(model, at + 3, 1, type);
    model_put(model, at + 4, 1, 4);
    model_put(model, at + 8, 4, offset);
    model_put(model, at + 12, 4, length);
}

static void describe(void)
{
    pci_capabilities_read(&function);
    function.vendor = 0x1af4;
    device = (struct assignment){.guest = &guest,
                                 .function = &function,
                                 .slot = 1,
                                 .has_msix = true,
                                 .msix = {.vectors = 4}};
}

/* As QEMU's virtio-net has it: the window (5) first, then notify, device, isr, common. */
static int fresh(void **state)
{
    model_clear();
    pci_functions_clear();
    host_log_clear();
    model = model_endpoint(RID(0, 0, 1, 1), 0x1af4, 0x1041, 0x020000);
    model_msix(model, 0x98, 4, 1, 0x801);
    virtio(0x84, 20, 5, 0, 0);
    virtio(0x70, 20, 2, 0x3000, 0x1000);
    model_put(model, 0x80, 4, 4); /* notify_off_multiplier */
    virtio(0x60, 16, 4, 0x2000, 0x1000);
    virtio(0x50, 16, 3, 0x1000, 0x1000);
    virtio(0x40, 16, 1, 0, 0x1000);
    model_pcie(model, 0xb0, 0, true);
    function = (struct pci_function){.rid = model->rid, .is_vf = true, .life = PCI_USED};
    describe();
    return 0;
}

static int done(void **state)
{
    if (function.view != NULL)
        pages_free(function.view, 1);
    return pages_in_use() == 0 ? 0 : -1;
}

/* The next in the list with this id, 0 behind the last. */
static unsigned find(unsigned after, unsigned id)
{
    unsigned at = read(after == 0 ? 0x34 : after + 1, 1), left = 48;
    while (at != 0 && read(at, 1) != id && left-- > 0)
        at = read(at + 1, 1);
    return at;
}

static void a_virtio_driver_finds_its_registers(void **state)
{
    static const struct {
        uint32_t type, offset, size;
    } expected[] = {{2, 0x3000, 20}, {4, 0x2000, 16}, {3, 0x1000, 16}, {1, 0, 16}};
    assert_int_equal(view_add_vendor(&function), STATUS_OK);
    view_reset_config(&device);
    unsigned at = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(expected); i++) { /* in the device's order */
        at = find(at, PCI_CAP_VENDOR);
        assert_true(at >= 0x90 && at + expected[i].size <= 0x100 && IS_ALIGNED(at, 4u));
        assert_int_equal(read(at + 2, 1), expected[i].size);
        assert_int_equal(read(at + 3, 1), expected[i].type);
        assert_int_equal(read(at + 4, 1), 4);
        assert_int_equal(read(at + 8, 4), expected[i].offset);
        assert_int_equal(read(at + 12, 4), 0x1000);
        if (expected[i].type == 2)
            assert_int_equal(read(at + 16, 4), 4);
    }
    assert_int_equal(find(at, PCI_CAP_VENDOR), 0);
    /* The other capabilities are where they were. */
    assert_int_equal(find(0, PCI_CAP_MSIX), CONFIG_CAP_MSIX);
    assert_int_equal(find(0, PCI_CAP_PCIE), CONFIG_CAP_PCIE);
    assert_int_equal(read(CONFIG_CAP_PCIE + 2, 2), model_get(model, 0xb2, 2));
    assert_int_equal(host_log_count("device.capability_hidden", NULL), 0);
}

/* It would let configuration accesses reach BARs. */
static void the_window_is_not_there(void **state)
{
    assert_int_equal(view_add_vendor(&function), STATUS_OK);
    for (unsigned at = find(0, PCI_CAP_VENDOR); at != 0; at = find(at, PCI_CAP_VENDOR))
        assert_int_not_equal(read(at + 3, 1), 5);
    for (unsigned i = 0; i < function.view->count; i++)
        assert_int_equal(function.view->registers[i].writable, 0);
}

static void they_take_no_writes(void **state)
{
    static uint32_t before[64];
    assert_int_equal(view_add_vendor(&function), STATUS_OK);
    for (unsigned i = 0x50 / 4; i < 64; i++)
        before[i] = read(i * 4, 4);
    for (unsigned offset = 0x50; offset < 0x100; offset++)
        virtual_config_write(&device, offset, 1, 0xff);
    for (unsigned i = 0x50 / 4; i < 64; i++)
        assert_int_equal(read(i * 4, 4), before[i]);
    assert_int_equal(model_writes(), 0);
}

/* Another vendor's are its own affair: shown, and as dead. */
static void other_vendors(void **state)
{
    model_clear();
    model = model_endpoint(RID(0, 0, 1, 1), 0x10ee, 0x9038, 0x120000);
    model_pcie(model, 0xb0, 0, true);
    virtio(0x40, 6, 5, 7, 8);
    describe();
    function.vendor = 0x10ee;
    assert_int_equal(view_add_vendor(&function), STATUS_OK);
    unsigned at = find(0, PCI_CAP_VENDOR);
    assert_true(at != 0 && read(at + 3, 1) == 5 && read(at + 8, 4) == 0);
}

static void what_cannot_be_shown(void **state)
{
    model_clear();
    model = model_endpoint(RID(0, 0, 1, 1), 0x1af4, 0x1041, 0x020000);
    virtio(0x40, 2, 1, 0, 0);
    model_pcie(model, 0x50, 0, true);
    virtio(0xf0, 20, 1, 0, 0);
    virtio(0x80, 0x70, 1, 0, 0); /* as large as all room */
    virtio(0x70, 4, 1, 0, 0);
    describe();
    assert_int_equal(view_add_vendor(&function), STATUS_OK);
    assert_int_equal(host_log_count("device.capability_hidden", "offset=0x40"), 1);
    assert_int_equal(host_log_count("device.capability_hidden", "offset=0xf0"), 1);
    assert_int_equal(host_log_count("device.capability_hidden", "offset=0x70"), 1);
    assert_int_equal(host_log_count("device.capability_hidden", NULL), 3);
    unsigned at = find(0, PCI_CAP_VENDOR);
    assert_int_equal(read(at + 2, 1), 0x70);
    assert_int_equal(find(at, PCI_CAP_VENDOR), 0);
}

/* A list that never ends is walked as far as one can be long. */
static void a_loop_ends(void **state)
{
    model_put(model, 0x41, 1, 0x40);
    assert_int_equal(view_add_vendor(&function), STATUS_OK);
    assert_int_equal(host_log_count("device.capability_hidden", NULL), 1);
    unsigned count = 0;
    for (unsigned at = find(0, PCI_CAP_VENDOR); at != 0 && count < 48; count++)
        at = find(at, PCI_CAP_VENDOR);
    assert_in_range(count, 1, 7);
}

static void none_at_all(void **state)
{
    model_clear();
    model = model_endpoint(RID(0, 0, 1, 1), 0x1af4, 0x1041, 0x020000);
    model_pcie(model, 0x50, 0, true);
    describe();
    assert_int_equal(view_add_vendor(&function), STATUS_OK);
    assert_null(function.view);
    host_pages_limit(0);
    virtio(0x90, 16, 1, 0, 0);
    assert_int_equal(view_add_vendor(&function), STATUS_NO_MEMORY);
    host_pages_limit(SIZE_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_virtio_driver_finds_its_registers),
        TEST(the_window_is_not_there),
        TEST(they_take_no_writes),
        TEST(other_vendors),
        TEST(what_cannot_be_shown),
        TEST(a_loop_ends),
        TEST(none_at_all),
    };
    return cmocka_run_group_tests_name("view_vendor", tests, NULL, NULL);
}
