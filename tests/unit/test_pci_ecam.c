/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/pci/config_access.c hypervisor/setup/pci_ecam.c
// SOURCES: hypervisor/setup/pci_ram.c hypervisor/base/format.c
/* ECAM: which address an access goes to, and that nothing else is touched. */
#include <stdlib.h>

#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/frames.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/setup/pci.h"
#include "tests/unit/support/host.h"

#define MAPPED UINT64_C(0x700000000000) /* + physical: the mapping of this test */

static uintptr_t last_address;
static unsigned last_width, accesses;
static uint32_t last_value;
static bool map_fails;
static struct frame_range ram = {.base = 0, .size = GIB(1), .owner = OWNER_NOBODY};

uintptr_t map_device(uint64_t physical, uint64_t size)
{
    return map_fails ? 0 : MAPPED + physical;
}

const struct frame_range *frames_range(size_t index)
{
    return index == 0 ? &ram : NULL;
}

static uint32_t access(uintptr_t address, unsigned width, uint32_t value)
{
    last_address = address;
    last_width = width;
    last_value = value;
    accesses++;
    return 0x12345678;
}

uint8_t mmio_read8(uintptr_t address)
{
    return (uint8_t)access(address, 1, 0);
}
uint16_t mmio_read16(uintptr_t address)
{
    return (uint16_t)access(address, 2, 0);
}
uint32_t mmio_read32(uintptr_t address)
{
    return access(address, 4, 0);
}
uint64_t mmio_read64(uintptr_t address)
{
    return access(address, 8, 0);
}
void mmio_write64(uintptr_t address, uint64_t value)
{
    access(address, 8, (uint32_t)value);
}
void mmio_write8(uintptr_t address, uint8_t value)
{
    access(address, 1, value);
}
void mmio_write16(uintptr_t address, uint16_t value)
{
    access(address, 2, value);
}
void mmio_write32(uintptr_t address, uint32_t value)
{
    access(address, 4, value);
}

static int fresh(void **state)
{
    host_log_clear();
    map_fails = false;
    accesses = 0;
    return 0;
}

static void addresses(void **state)
{
    const struct mcfg mcfg = {
        .count = 2,
        .segment =
            {{.base = 0xe0000000, .segment = 0, .start_bus = 0, .end_bus = 127},
             {.base = UINT64_C(0x380000000000), .segment = 1, .start_bus = 0x40, .end_bus = 0x4f}},
    };
    assert_int_equal(ecam_init(&mcfg), STATUS_OK);
    assert_int_equal(pci_config_read(RID(0, 1, 2, 3), 0xffc, 4), 0x12345678);
    assert_int_equal(last_address, MAPPED + 0xe0000000 + (1 << 20 | 2 << 15 | 3 << 12 | 0xffc));
    assert_int_equal(pci_config_read(RID(0, 127, 31, 7), 0, 2), 0x5678);
    assert_int_equal(last_address, MAPPED + 0xe7fff000);
    pci_config_write(RID(1, 0x41, 0, 0), 5, 1, 0xab);
    assert_int_equal(last_address, MAPPED + UINT64_C(0x380000000000) + (0x41 << 20) + 5);
    assert_int_equal(last_width, 1);
    assert_int_equal(last_value, 0xab);
}

static void what_does_not_exist_is_not_touched(void **state)
{
    const struct mcfg mcfg = {.count = 1,
                              .segment = {{.base = 0xe0000000, .start_bus = 0, .end_bus = 127}}};
    assert_int_equal(ecam_init(&mcfg), STATUS_OK);
    assert_int_equal(pci_config_read(RID(0, 128, 0, 0), 0, 4), 0xffffffff);
    assert_int_equal(pci_config_read(RID(1, 0, 0, 0), 0, 2), 0xffff);
    assert_int_equal(pci_config_read(RID(0, 0, 0, 0), 4096, 1), 0xff);
    assert_int_equal(pci_config_read(RID(0, 0, 0, 0), 2, 4), 0xffffffff);
    assert_int_equal(pci_config_read(RID(0, 0, 0, 0), 0, 8), 0xffffffff);
    pci_config_write(RID(0, 128, 0, 0), 0, 4, 0);
    pci_config_write(RID(0, 0, 0, 0), 1, 2, 0);
    assert_int_equal(accesses, 0);
}

static void lies_are_refused(void **state)
{
    const struct mcfg mcfg = {
        .count = 5,
        .segment = {{.base = 0x20000000, .segment = 0, .end_bus = 255}, /* RAM */
                    {.base = 0, .segment = 1, .end_bus = 255},
                    {.base = 0xe0080000, .segment = 2, .end_bus = 255},
                    {.base = 0xe0000000, .segment = 3, .start_bus = 9, .end_bus = 8},
                    {.base = UINT64_C(0xfffffffff0000000), .segment = 4, .end_bus = 255}},
    };
    assert_int_equal(ecam_init(&mcfg), STATUS_NOT_FOUND);
    assert_int_equal(host_log_count("pci.refused", NULL), 5);
    assert_int_equal(host_log_count("pci.refused", "at RAM"), 1);
}

static void the_first_of_two_descriptions_is_used(void **state)
{
    const struct mcfg mcfg = {
        .count = 2,
        .segment = {{.base = 0xe0000000, .end_bus = 255}, {.base = 0xd0000000, .end_bus = 0}}};
    assert_int_equal(ecam_init(&mcfg), STATUS_OK);
    pci_config_read(RID(0, 0, 0, 0), 0, 4);
    assert_int_equal(last_address, MAPPED + 0xe0000000);
    assert_int_equal(host_log_count("pci.refused", "described before"), 1);
}

static void no_memory_to_map(void **state)
{
    const struct mcfg mcfg = {.count = 1, .segment = {{.base = 0xe0000000, .end_bus = 255}}};
    map_fails = true;
    assert_int_equal(ecam_init(&mcfg), STATUS_NOT_FOUND);
    assert_int_equal(pci_config_read(RID(0, 0, 0, 0), 0, 4), 0xffffffff);
    assert_int_equal(accesses, 0);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(addresses),        TEST(what_does_not_exist_is_not_touched),
        TEST(lies_are_refused), TEST(the_first_of_two_descriptions_is_used),
        TEST(no_memory_to_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
