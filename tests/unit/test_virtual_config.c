/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/pci/life.c
// SOURCES: hypervisor/vdev/virtual_config.c hypervisor/assign/view.c hypervisor/pci/functions.c
// SOURCES: hypervisor/setup/pci_functions.c hypervisor/setup/pci_capabilities.c
// SOURCES: hypervisor/pci/msix.c hypervisor/base/format.c hypervisor/base/status.c
// SOURCES: hypervisor/base/string.c hypervisor/base/text.c tests/unit/model/pci_model.c
// SOURCES: tests/unit/model/pci_routing.c
// SOURCES: hypervisor/setup/pci_known.c
/* The configuration space a guest sees, over a function with everything a guest must not reach. */
#include <stdlib.h>
#include <string.h>

#include "hypervisor/vdev/virtual_config.h"
#include "hypervisor/vdev/virtual_msix.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/setup/pci_capabilities.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/setup/pci_functions.h"
#include "tests/unit/model/pci_model.h"
#include "tests/unit/support/host.h"

static struct model_function *model;
static struct pci_function function;
static struct assignment device;
static struct guest guest = {.name = "alpha"};

/* --- the MSI-X table's side: only told of changes --- */
static unsigned updates;

void iommu_interrupts_release(const struct pci_function *function)
{
}

void virtual_msix_update(struct assignment *told)
{
    assert_ptr_equal(told, &device);
    updates++;
}

static uint32_t read(unsigned offset, unsigned width)
{
    return virtual_config_read(&device, offset, width);
}

static void write(unsigned offset, unsigned width, uint32_t value)
{
    virtual_config_write(&device, offset, width, value);
}

/* An 82576-like function: a 32-bit BAR, an I/O BAR, a 64-bit one, and every kind of capability. */
static int fresh(void **state)
{
    model_clear();
    pci_functions_clear();
    host_log_clear();
    updates = 0;
    model = model_endpoint(RID(0, 0, 1, 0), 0x8086, 0x10c9, 0x020000);
    model_bar(model, 0, (struct model_bar){.size = 0x20000, .base = 0xfe000000});
    model_bar(model, 2, (struct model_bar){.size = 32, .base = 0xc000, .io = true});
    model_bar(
        model, 3,
        (struct model_bar){
            .size = MIB(4), .base = UINT64_C(0x812400000), .is_64bit = true, .prefetchable = true});
    model_put(model, 0x2c, 4, 0xa03c8086);
    model_put(model, 0x30, 4, 0xfe100001);
    model_put(model, 0x3c, 4, 0x0000010b);
    model_capability(model, 0x48, PCI_CAP_PM);
    model_capability(model, 0x58, PCI_CAP_MSI);
    model_msix(model, 0x70, 10, 3, 0x2003);
    model_pcie(model, 0xa0, 0, true);
    model_put(model, 0xa8, 4, 0x00102810);
    model_put(model, 0xac, 4, 0x0003f412);
    model_put(model, 0xb0, 4, 0x10420040);
    model_extended(model, 0x100, 0x0001);
    model_extended(model, 0x160, 0x0010);
    model_put(model, 4, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_OFF);
    function = (struct pci_function){
        .rid = model->rid, .vendor = 0x8086, .device = 0x10c9, .life = PCI_USED};
    pci_capabilities_read(&function);
    device = (struct assignment){
        .guest = &guest,
        .function = &function,
        .slot = 1,
        .has_msix = true,
        .msix = {.vectors = 10, .table_bar = 3, .pba_bar = 3, .pba_offset = 0x2000},
        .bars = {[0] = {.guest_base = 0xc0000000, .host_base = 0xfe000000, .size = 0x20000},
                 [3] = {.guest_base = 0xc0400000,
                        .host_base = UINT64_C(0x812400000),
                        .size = MIB(4),
                        .is_64bit = true,
                        .prefetchable = true}},
    };
    view_reset_config(&device);
    return 0;
}

static uint32_t physical_command(void)
{
    return model_get(model, 4, 2);
}

static void test_header(void **state)
{
    assert_int_equal(read(0, 4), 0x10c98086);
    assert_int_equal(read(0, 2), 0x8086);
    assert_int_equal(read(2, 2), 0x10c9);
    assert_int_equal(read(3, 1), 0x10);
    assert_int_equal(read(8, 4), model_get(model, 8, 4));
    assert_int_equal(read(0x0b, 1), 2); /* class: network */
    assert_int_equal(read(0x0c, 4), 0); /* one function, type 0 */
    assert_int_equal(read(0x2c, 4), 0xa03c8086);
    assert_int_equal(read(0x30, 4), 0); /* no ROM */
    assert_int_equal(read(0x3c, 4), 0); /* no interrupt pin */
    assert_int_equal(read(6, 2), 0x10); /* a capability list, nothing else */
}

/* A VF answers with all ones for its ids (PCIe 9.3.4.1.1): the guest sees them all the same. */
static void test_identity_of_a_vf(void **state)
{
    model_put(model, 0, 4, UINT32_MAX);
    function.is_vf = true;
    function.device = 0x10ca;
    assert_int_equal(read(0, 4), 0x10ca8086);
}

/* Rows of virtual_config.c; all other dwords are zero to a guest and take nothing. */
static bool is_listed(unsigned offset)
{
    return offset < 0x0c || (offset >= 0x10 && offset < 0x28) || offset == 0x2c || offset == 0x34 ||
           (offset >= 0x40 && offset < 0x4c) || (offset >= 0x50 && offset < 0x64);
}

static void test_the_rest_reads_zero(void **state)
{
    memset(model->config + 0x40, 0x5a, 0x30);
    memset(model->config + 0xc0, 0x5a, sizeof model->config - 0xc0);
    unsigned zeros = 0;
    for (unsigned offset = 0; offset < 4096; offset += 4) {
        if (is_listed(offset))
            continue;
        for (unsigned width = 1; width <= 4; width *= 2)
            for (unsigned at = offset; at < offset + 4; at += width) {
                write(at, width, UINT32_MAX);
                assert_int_equal(read(at, width), 0);
            }
        zeros++;
    }
    assert_int_equal(zeros, 1024 - 19);
    assert_int_equal(model_writes(), 0);
}

static void test_capability_list(void **state)
{
    unsigned seen = 0;
    unsigned at = read(0x34, 1);
    for (; at != 0 && seen < 8; at = read(at + 1, 1), seen++) {
        assert_true(at >= 0x40 && at <= 0xfc && IS_ALIGNED(at, 4u));
        assert_int_equal(read(at, 1), seen == 0 ? PCI_CAP_MSIX : PCI_CAP_PCIE);
    }
    assert_int_equal(seen, 2);
    /* Every combination of what the function has: it ends, and no capability is shown that is not
     * there. */
    for (unsigned has = 0; has < 4; has++) {
        device.has_msix = (has & 1) != 0;
        function.cap_pcie = (has & 2) != 0 ? 0xa0 : 0;
        unsigned ids = 0;
        seen = 0;
        for (at = read(0x34, 1); at != 0 && seen < 8; at = read(at + 1, 1), seen++)
            ids |= read(at, 1) == PCI_CAP_MSIX ? 1 : read(at, 1) == PCI_CAP_PCIE ? 2 : 4;
        assert_int_equal(ids, has);
        assert_int_equal(seen, (has & 1) + (has >> 1));
        if (!device.has_msix)
            for (unsigned offset = 0x40; offset < 0x4c; offset += 4)
                assert_int_equal(read(offset, 4), 0);
        if (function.cap_pcie == 0)
            for (unsigned offset = 0x50; offset < 0x64; offset += 4)
                assert_int_equal(read(offset, 4), 0);
    }
}

static void test_pcie_capability(void **state)
{
    assert_int_equal(read(0x50, 4), (model_get(model, 0xa0, 4) & 0xffff0000) | PCI_CAP_PCIE);
    assert_true((model_get(model, 0xa4, 4) & BIT(28)) != 0);
    assert_int_equal(read(0x54, 4), model_get(model, 0xa4, 4) & ~BIT(28));
    assert_int_equal(read(0x58, 4), 0x2810); /* status is the hypervisor's */
    assert_int_equal(read(0x5c, 4), 0x0003f412);
    assert_int_equal(read(0x60, 4), 0x10420040);
    /* Initiate FLR, link retraining: not a guest's to ask. */
    for (unsigned offset = 0x50; offset < 0x64; offset += 4)
        write(offset, 4, UINT32_MAX);
    assert_int_equal(model->resets, 0);
    assert_int_equal(model_writes(), 0);
}

static void test_bars_are_sized(void **state)
{
    assert_int_equal(read(0x10, 4), 0xc0000000);
    assert_int_equal(read(0x14, 4), 0);
    assert_int_equal(read(0x18, 4), 0); /* I/O is not given */
    assert_int_equal(read(0x1c, 4), 0xc040000c);
    assert_int_equal(read(0x20, 4), 0);
    assert_int_equal(read(0x24, 4), 0);

    for (unsigned offset = 0x10; offset < 0x28; offset += 4)
        write(offset, 4, UINT32_MAX);
    assert_int_equal(read(0x10, 4), 0xfffe0000);
    assert_int_equal(read(0x14, 4), 0);
    assert_int_equal(read(0x18, 4), 0);
    assert_int_equal(read(0x1c, 4), 0xffc0000c);
    assert_int_equal(read(0x20, 4), 0xffffffff);
    assert_int_equal(read(0x24, 4), 0);
    assert_int_equal(read(0x13, 1), 0xff);

    /* One half after the other, as Linux does it. */
    write(0x1c, 4, 0xc0400000);
    assert_int_equal(read(0x1c, 4), 0xc040000c);
    assert_int_equal(read(0x20, 4), 0xffffffff);
    write(0x20, 4, 0);
    assert_int_equal(read(0x20, 4), 0);
    write(0x10, 4, 0xc0000000);
    assert_int_equal(read(0x10, 4), 0xc0000000);
    assert_int_equal(model_writes(), 0);
}

/* Some drivers leave the low four bits zero while they size. */
static void test_sizing_without_flags(void **state)
{
    write(0x10, 4, 0xfffffff0);
    assert_int_equal(read(0x10, 4), 0xfffe0000);
}

static void test_bars_cannot_be_moved(void **state)
{
    static const uint32_t wanted[] = {0,          0xd0000000, 0xfee00000, 0xb0000000,
                                      0xffffffef, 0x00000001, 0xfffe0000};
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        for (unsigned offset = 0x10; offset < 0x28; offset += 4)
            write(offset, 4, wanted[i]);
        assert_int_equal(read(0x10, 4), 0xc0000000);
        assert_int_equal(read(0x1c, 4), 0xc040000c);
        assert_int_equal(read(0x20, 4), 0);
    }
    assert_int_equal(device.bars[0].guest_base, 0xc0000000);
    assert_int_equal(device.bars[3].guest_base, 0xc0400000);
    assert_int_equal(model_writes(), 0);
}

static void test_narrow_writes_to_bars(void **state)
{
    write(0x13, 1, 0xd0);
    write(0x12, 2, 0xffff);
    write(0x10, 2, 0xffff);
    assert_int_equal(read(0x10, 4), 0xc0000000);
    write(0x10, 4, UINT32_MAX);
    write(0x12, 2, 0xc000);
    assert_int_equal(read(0x10, 4), 0xc0000000);
}

static void test_command(void **state)
{
    assert_int_equal(read(4, 2), 0);
    write(4, 2, 0xffff);
    assert_int_equal(read(4, 2), 0x0406);
    assert_int_equal(read(6, 2), 0x0010);
    assert_int_equal(physical_command(), 0x0406);
    /* Everything off: decoding stays on behind the guest's back. */
    write(4, 2, 0);
    assert_int_equal(read(4, 2), 0);
    assert_int_equal(physical_command(), 0x0402);
    write(4, 4, UINT32_MAX);
    assert_int_equal(read(4, 4), 0x00100406);
    assert_int_equal(physical_command(), 0x0406);
    /* The upper byte alone: bus mastering stays. */
    write(5, 1, 0);
    assert_int_equal(read(4, 2), 0x0006);
    assert_int_equal(physical_command(), 0x0406);
    write(4, 1, 2);
    assert_int_equal(physical_command(), 0x0402);
    /* The status register does not clear anything. */
    write(4, 2, 6);
    write(6, 2, 0xffff);
    assert_int_equal(read(4, 4), 0x00100006);
    assert_int_equal(physical_command(), 0x0406);
}

static void test_disabled_device_stays_off_the_bus(void **state)
{
    function.life = PCI_SILENCED;
    write(4, 2, 0x0406);
    assert_int_equal(read(4, 2), 0x0402);
    assert_int_equal(physical_command(), 0x0402);
    function.life = PCI_USED;
    write(4, 2, 0x0406);
    assert_int_equal(physical_command(), 0x0406);
}

/* A guest that runs on without a device that is kept back, reset or lost. */
static void test_only_a_device_in_use_is_written_to(void **state)
{
    static const enum pci_life lives[] = {PCI_UNKNOWN, PCI_CLEAN, PCI_RESETTING, PCI_UNUSABLE};
    for (size_t i = 0; i < ARRAY_SIZE(lives); i++) {
        function.life = lives[i];
        write(4, 2, 0x0406);
        write(0x42, 2, 0x8000);
        assert_int_equal(physical_command() & PCI_COMMAND_BUS_MASTER, 0);
        assert_int_equal(read(4, 2), 0);
        assert_true(updates == 0 && !device.msix_enabled);
    }
}

static void test_msix_control(void **state)
{
    assert_int_equal(read(0x42, 2), 9); /* table size */
    assert_int_equal(read(0x44, 4), 3);
    assert_int_equal(read(0x48, 4), 0x2003);
    write(0x42, 2, 0xffff);
    assert_int_equal(read(0x42, 2), 0xc009);
    assert_true(device.msix_enabled && device.msix_function_mask);
    assert_int_equal(updates, 1);
    write(0x42, 2, 0x8000);
    assert_int_equal(read(0x42, 2), 0x8009);
    assert_true(device.msix_enabled && !device.msix_function_mask);
    write(0x43, 1, 0x40);
    assert_int_equal(read(0x42, 2), 0x4009);
    assert_true(!device.msix_enabled && device.msix_function_mask);
    write(0x40, 4, 0);
    assert_int_equal(read(0x40, 4), 0x00095011);
    assert_int_equal(updates, 4);
    write(0x44, 4, UINT32_MAX);
    write(0x48, 4, UINT32_MAX);
    assert_int_equal(read(0x44, 4), 3);
    assert_int_equal(read(0x48, 4), 0x2003);
    assert_int_equal(updates, 4);
    /* The device's own capability is virtual_msix.c's alone. */
    assert_int_equal(model_writes(), 0);

    device.has_msix = false;
    write(0x42, 2, 0xffff);
    assert_int_equal(updates, 4);
}

static void test_reset(void **state)
{
    write(0x10, 4, UINT32_MAX);
    write(0x20, 4, UINT32_MAX);
    write(4, 2, 6);
    view_reset_config(&device);
    assert_int_equal(read(4, 2), 0);
    assert_int_equal(read(0x10, 4), 0xc0000000);
    assert_int_equal(read(0x20, 4), 0);
}

static uint32_t random_state = 20250311;

static uint32_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

/* Whatever a guest writes, in the device only bus mastering follows. */
static void test_random_accesses(void **state)
{
    static uint8_t before[sizeof model->config];
    memcpy(before, model->config, sizeof before);
    unsigned masters = 0;
    for (unsigned i = 0; i < 1000000; i++) {
        unsigned width = 1u << next_random() % 3;
        unsigned range = next_random() % 4 == 0 ? 4096 : 0x80;
        unsigned offset = ALIGN_DOWN(next_random() % range, width);
        if (next_random() % 2 == 0) {
            uint32_t value = read(offset, width);
            assert_true(width == 4 || value < 1u << (width * 8));
        } else {
            write(offset, width, next_random() % 3 == 0 ? UINT32_MAX : next_random());
        }
        bool master = (read(4, 2) & PCI_COMMAND_BUS_MASTER) != 0;
        masters += master;
        assert_int_equal(physical_command(), 0x0402 | (master ? PCI_COMMAND_BUS_MASTER : 0));
        if (i % 1000 == 0 || i == 999999) {
            uint8_t now[sizeof before];
            memcpy(now, model->config, sizeof now);
            memcpy(now + 4, before + 4, 2);
            assert_memory_equal(now, before, sizeof before);
            assert_int_equal(device.bars[0].guest_base, 0xc0000000);
            assert_int_equal(device.bars[3].guest_base, 0xc0400000);
        }
    }
    assert_true(masters > 1000 && masters < 999000);
    assert_int_equal(model->resets, 0);
    assert_string_equal(model_last_violation(), "");
}

/* Whatever is written, wherever: neither Device Control nor SERR nor an error mask follows. */
static void test_error_reporting_stays_off(void **state)
{
    model_put(model, 0xa8, 2, 0x2810);
    for (unsigned offset = 0x104; offset < 0x130; offset += 4)
        model_writable(model, offset, 4, 0xffffffff);
    model_put(model, 0x108, 4, 0x07fff030);
    static const uint32_t values[] = {0xffffffff, 0x0000010f, 0};
    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        for (unsigned width = 1; width <= 4; width *= 2)
            for (unsigned offset = 0; offset < PCI_CONFIG_SIZE; offset += width)
                write(offset, width, values[i]);
    assert_int_equal(model_get(model, 0xa8, 2), 0x2810);
    assert_int_equal(physical_command() & PCI_COMMAND_SERR, 0);
    assert_int_equal(model_get(model, 0x108, 4), 0x07fff030);
    assert_int_equal(model->resets, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, fresh)
    const struct CMUnitTest tests[] = {
        TEST(test_header),
        TEST(test_identity_of_a_vf),
        TEST(test_the_rest_reads_zero),
        TEST(test_capability_list),
        TEST(test_pcie_capability),
        TEST(test_bars_are_sized),
        TEST(test_sizing_without_flags),
        TEST(test_bars_cannot_be_moved),
        TEST(test_narrow_writes_to_bars),
        TEST(test_command),
        TEST(test_disabled_device_stays_off_the_bus),
        TEST(test_only_a_device_in_use_is_written_to),
        TEST(test_msix_control),
        TEST(test_reset),
        TEST(test_error_reporting_stays_off),
        TEST(test_random_accesses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
