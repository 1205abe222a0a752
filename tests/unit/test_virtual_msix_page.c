/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/pci/life.c
// SOURCES: hypervisor/vdev/virtual_msix.c hypervisor/assign/view.c hypervisor/base/format.c
// SOURCES: hypervisor/base/text.c hypervisor/base/string.c hypervisor/base/status.c
/* What shares its pages with a device's MSI-X table: registers, and the pending bits. */
#include "tests/unit/support/msix_fixture.h"

static void test_coverage(void **state)
{
    const uint64_t page = BAR_BASE + TABLE;
    assert_false(virtual_msix_covers(&device, page - 1));
    assert_true(virtual_msix_covers(&device, page));
    assert_true(virtual_msix_covers(&device, page + 0xfff));
    assert_false(virtual_msix_covers(&device, page + 0x1000));
    assert_false(virtual_msix_covers(&device, 0));
    device.msix.table_offset = 0x2ff0;
    assert_true(virtual_msix_covers(&device, page));
    assert_true(virtual_msix_covers(&device, page + 0x1fff));
    assert_false(virtual_msix_covers(&device, page + 0x2000));
    device.has_msix = false;
    assert_false(virtual_msix_covers(&device, page));
}

static void test_neighbours_pass_through(void **state)
{
    const uint64_t address = BAR_BASE + TABLE + 0x100;
    static const unsigned widths[] = {1, 2, 4, 8};
    for (unsigned i = 0; i < 4; i++) {
        const unsigned width = widths[i];
        const uint64_t value = UINT64_C(0x8877665544332211) >> (64 - 8 * width);
        memset(bar + TABLE + 0x100, 0, 16);
        write(address, width, value);
        uint64_t there = 0;
        memcpy(&there, bar + TABLE + 0x100, 8);
        assert_int_equal(there, value);
        assert_int_equal(read(address, width), value);
    }
    /* Crooked: nothing happens. */
    accesses = 0;
    write(address + 1, 4, 0);
    assert_int_equal(read(address + 2, 4), UINT64_MAX);
    assert_int_equal(accesses, 0);
}

static void test_pending_bits_are_read_only(void **state)
{
    memset(bar + PBA, 0x5a, 16);
    for (unsigned width = 1; width <= 8; width *= 2)
        for (unsigned offset = 0; offset < 8; offset += width)
            write(BAR_BASE + PBA + offset, width, 0);
    assert_int_equal(read(BAR_BASE + PBA, 8), UINT64_C(0x5a5a5a5a5a5a5a5a));
    assert_int_equal(read(BAR_BASE + PBA + 4, 4), 0x5a5a5a5a);
    write(BAR_BASE + PBA + 8, 8, 1); /* behind it */
    assert_int_equal(bar[PBA + 8], 1);
    device.msix.pba_bar = 0;
    write(BAR_BASE + PBA, 8, 2);
    assert_int_equal(bar[PBA], 2);
}

/* The BAR ends inside the last page that is covered. */
static void test_nothing_past_the_bar(void **state)
{
    device.bars[3].size = 0x2200;
    write(BAR_BASE + 0x21f8, 8, 5);
    assert_int_equal(bar[0x21f8], 5);
    write(BAR_BASE + 0x2200, 8, 5);
    assert_int_equal(read(BAR_BASE + 0x2200, 1), UINT64_MAX);
    assert_int_equal(bar[0x2200], 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, fresh)
    const struct CMUnitTest tests[] = {
        TEST(test_coverage),
        TEST(test_neighbours_pass_through),
        TEST(test_pending_bits_are_read_only),
        TEST(test_nothing_past_the_bar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
