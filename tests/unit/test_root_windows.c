/* SPDX-License-Identifier: MIT */
// SOURCES: boot/efi/root_windows.c
/* What firmware's drivers say of a root bridge: bytes without a length. */
#include <stdlib.h>
#include <string.h>

#include "boot/efi/root_windows.h"
#include "tests/unit/support/host.h"

#define HIGH(n) (UINT64_C(0x4000000000) * (n))

static struct boot_info boot;

static int fresh(void **state)
{
    boot = (struct boot_info){0};
    return 0;
}

static uint8_t bytes[ROOT_BYTES_MAX];
static size_t length;

static void put(uint8_t type, uint8_t type_flags, uint64_t first, uint64_t last, uint64_t size,
                uint64_t translation)
{
    uint8_t *at = bytes + length;
    const uint64_t words[] = {64, first, last, translation, size};
    memset(at, 0, ROOT_DESCRIPTOR);
    at[0] = 0x8a;
    at[1] = 0x2b;
    at[3] = type;
    at[5] = type_flags;
    memcpy(at + 6, words, sizeof words);
    length += ROOT_DESCRIPTOR;
}

static bool parse(uint16_t segment)
{
    uint8_t *copy = malloc(length); /* a byte too far is found */
    memcpy(copy, bytes, length);
    bool whole = root_windows_read(copy, length, segment, &boot);
    free(copy);
    return whole;
}

static void descriptors_become_windows(void **state)
{
    length = 0;
    put(1, 0, 0x6000, 0x6fff, 0x1000, 0);
    put(0, 0, 0x80000000, 0x81ffffff, 0x2000000, 0);
    put(0, 6, HIGH(1), HIGH(1) + GIB(1) - 1, GIB(1), 0);
    put(0, 0, 0, 0, 0, 0);
    put(2, 0, 0x80, 0x8f, 0x10, 0);
    put(0, 0, 0x90000000, 0x90ffffff, 0x2000000, 0);
    put(0, 0, 0xa0000000, 0xa0ffffff, 0x1000000, 1);
    bytes[length++] = 0x79;
    assert_true(parse(3));
    assert_int_equal(boot.root_count, 1);
    assert_int_equal(boot.roots[0].segment, 3);
    assert_int_equal(boot.roots[0].first_bus, 0x80);
    assert_int_equal(boot.roots[0].last_bus, 0x8f);
    assert_int_equal(boot.root_window_count, 4);
    static const uint32_t flags[] = {0, BOOT_WINDOW_PREFETCHABLE, BOOT_WINDOW_CONTRADICTORY,
                                     BOOT_WINDOW_TRANSLATED};
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(boot.root_windows[i].flags, flags[i]);
    assert_int_equal(boot.root_windows[1].base, HIGH(1));
    assert_int_equal(boot.root_windows[1].size, GIB(1));
}

static void lists_that_do_not_end_are_cut(void **state)
{
    length = 0;
    put(0, 0, 0x80000000, 0x80ffffff, 0x1000000, 0);
    size_t one = length;
    put(2, 0, 0xff, 0x100, 2, 0); /* past the last bus */
    for (; length > 0; length--) {
        boot = (struct boot_info){0};
        assert_false(parse(0));
        assert_int_equal(boot.root_window_count, length >= one ? 1 : 0);
        assert_int_equal(boot.roots[0].first_bus | boot.roots[0].last_bus, 0);
    }
    length = 0;
    put(0, 0, 0x80000000, 0x80ffffff, 0x1000000, 0);
    bytes[0] = 0x8b;
    assert_false(parse(0));
    bytes[0] = 0x8a;
    bytes[1] = 0x2c;
    assert_false(parse(0));
    boot = (struct boot_info){.root_count = BOOT_MAX_ROOTS};
    bytes[0] = 0x79;
    assert_false(parse(0));
    boot = (struct boot_info){.root_window_count = BOOT_MAX_ROOT_WINDOWS};
    length = 0;
    put(0, 0, 0x80000000, 0x80ffffff, 0x1000000, 0);
    bytes[length++] = 0x79;
    assert_false(parse(0));
}

static void a_reach_ends_at_other_roots(void **state)
{
    static const struct {
        uint32_t root;
        uint64_t base, size;
    } windows[] = {{0, 0x90000000, 0x10000000},
                   {0, HIGH(1), GIB(64)},
                   {1, 0xc0000000, 0x10000000},
                   {1, HIGH(2), GIB(64)}};
    boot.root_count = 2;
    for (size_t i = 0; i < ARRAY_SIZE(windows); i++)
        boot.root_windows[boot.root_window_count++] = (struct boot_root_window){
            .root = windows[i].root, .base = windows[i].base, .size = windows[i].size};
    root_window_reach(&boot, 2, 0x80000000, 0xfe000000);
    assert_int_equal(boot.root_windows[2].reach_base, 0xa0000000);
    assert_int_equal(boot.root_windows[2].reach_size, 0x5e000000);
    root_window_reach(&boot, 0, 0x80000000, 0xfe000000);
    assert_int_equal(boot.root_windows[0].reach_base, 0x80000000);
    assert_int_equal(boot.root_windows[0].reach_size, 0x40000000);
    root_window_reach(&boot, 3, HIGH(2) + 1, HIGH(3)); /* does not hold the window */
    assert_int_equal(boot.root_windows[3].reach_size, 0);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(descriptors_become_windows),
        TEST(lists_that_do_not_end_are_cut),
        TEST(a_reach_ends_at_other_roots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
