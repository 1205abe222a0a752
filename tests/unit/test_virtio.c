/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/setup/virtio.c hypervisor/setup/view_vendor.c hypervisor/pci/functions.c
// SOURCES: hypervisor/setup/pci_functions.c hypervisor/setup/pci_capabilities.c
// SOURCES: hypervisor/pci/life.c hypervisor/base/format.c hypervisor/base/status.c
// SOURCES: hypervisor/base/string.c tests/unit/model/pci_model.c
// SOURCES: tests/unit/model/pci_routing.c
// SOURCES: hypervisor/setup/pci_known.c
/* Virtio devices that keep to the IOMMU, and such that may not. */
#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/setup/pci_functions.h"
#include "hypervisor/setup/virtio.h"
#include "tests/unit/model/pci_model.h"
#include "tests/unit/support/host.h"

#define BAR4 UINT64_C(0x800000000)

static struct model_function *model;
static struct pci_function function;
static uint32_t features[2], selected;
static bool no_mapping;
static unsigned mapped;

uintptr_t map_device(uint64_t physical, uint64_t size)
{
    assert_int_equal(physical, BAR4 + 0x100);
    mapped++;
    return no_mapping ? 0 : 0x7100;
}

void mmio_write32(uintptr_t address, uint32_t value)
{
    assert_int_equal(address, 0x7100);
    selected = value;
}

uint32_t mmio_read32(uintptr_t address)
{
    assert_int_equal(address, 0x7104);
    return features[selected];
}

static void capability(unsigned at, uint8_t type, uint8_t bar, uint32_t offset)
{
    model_capability(model, at, PCI_CAP_VENDOR);
    model_put(model, at + 2, 1, 16);
    model_put(model, at + 3, 1, type);
    model_put(model, at + 4, 1, bar);
    model_put(model, at + 8, 4, offset);
}

static void build(uint8_t bar, uint32_t offset)
{
    model_clear();
    pci_functions_clear();
    model = model_endpoint(RID(0, 0, 1, 1), 0x1af4, 0x1041, 0x020000);
    capability(0x70, 3, 4, 0x1000);
    capability(0x40, 1, bar, offset);
    function = (struct pci_function){
        .rid = model->rid,
        .vendor = 0x1af4,
        .device = 0x1041,
        .bar = {[0] = {.base = 0xc000, .size = 0x20, .io = true},
                [1] = {.size = 0x1000},
                [4] = {.base = BAR4, .size = 0x4000, .is_64bit = true}},
    };
}

static int fresh(void **state)
{
    build(4, 0x100);
    features[0] = 0x130bfff;
    features[1] = 3; /* VERSION_1, ACCESS_PLATFORM */
    selected = 7;
    mapped = 0;
    no_mapping = false;
    return 0;
}

static void the_feature_decides(void **state)
{
    assert_true(virtio_is_confined(&function));
    assert_int_equal(selected, 0); /* as after its reset */
    features[1] = 1;
    assert_false(virtio_is_confined(&function));
    features[0] = UINT32_MAX; /* of the lower half nothing counts */
    assert_false(virtio_is_confined(&function));
    features[1] = UINT32_MAX; /* it does not answer */
    assert_false(virtio_is_confined(&function));
    features[1] = 3;
    no_mapping = true;
    assert_false(virtio_is_confined(&function));
}

/* Nothing is mapped for a capability that leads nowhere. */
static void places_that_cannot_be(void **state)
{
    static const struct {
        uint8_t bar;
        uint32_t offset;
    } wrong[] = {{6, 0x100},  {255, 0x100}, {0, 0},     {1, 0},         {2, 0},
                 {4, 0x3ffc}, {4, 0x4000},  {4, 0x102}, {4, 0xfffffff8}};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        build(wrong[i].bar, wrong[i].offset);
        assert_false(virtio_is_confined(&function));
    }
    model_put(model, 0x34, 1, 0); /* of before version 1: no capability at all */
    assert_false(virtio_is_confined(&function));
    assert_int_equal(mapped, 0);
}

static void others_are_not_asked(void **state)
{
    features[1] = 0;
    function.device = 0x1110; /* ivshmem */
    assert_true(virtio_is_confined(&function));
    function.device = 0x0fff;
    assert_true(virtio_is_confined(&function));
    function.device = 0x1041;
    function.vendor = 0x8086;
    assert_true(virtio_is_confined(&function));
    function.vendor = 0x1af4;
    function.device = 0x1000; /* a transitional one */
    assert_false(virtio_is_confined(&function));
    function.device = 0x107f;
    assert_false(virtio_is_confined(&function));
    assert_int_equal(mapped, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_feature_decides, fresh),
        cmocka_unit_test_setup(places_that_cannot_be, fresh),
        cmocka_unit_test_setup(others_are_not_asked, fresh),
    };
    return cmocka_run_group_tests_name("virtio", tests, NULL, NULL);
}
