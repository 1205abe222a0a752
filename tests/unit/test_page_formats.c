/* SPDX-License-Identifier: MIT */
// The four formats of page-table entries: literal entries, from the manuals.
// SOURCES: hypervisor/memory/formats.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
#include "hypervisor/memory/page_table.h"
#include "tests/unit/support/host.h"

#define RW  (PAGE_READ | PAGE_WRITE)
#define RWX (PAGE_READ | PAGE_WRITE | PAGE_EXECUTE)

static const struct page_table_format *const formats[] = {&page_format_host, &page_format_ept,
                                                          &page_format_npt, &page_format_vtd};

static void test_format_bits(void **state)
{
    const uint64_t at = 0x123456000;
    assert_int_equal(page_format_host.leaf(at, PAGE_READ, 1), at | 0x61 | BIT(63));
    assert_int_equal(page_format_host.leaf(at, RW, 1), at | 0x63 | BIT(63));
    assert_int_equal(page_format_host.leaf(at, PAGE_READ | PAGE_EXECUTE, 1), at | 0x61);
    assert_int_equal(page_format_host.leaf(at, RW | PAGE_DEVICE, 1), at | 0x7b | BIT(63));
    assert_int_equal(page_format_host.leaf(at, RW | PAGE_COMBINED, 1), at | 0x6b | BIT(63));
    assert_int_equal(page_format_host.leaf(PAGE_1G, RW, 2), PAGE_1G | 0xe3 | BIT(63));
    assert_int_equal(page_format_host.table(at), at | 0x23);

    assert_int_equal(page_format_npt.leaf(at, RWX, 1), at | 0x67);
    assert_int_equal(page_format_npt.leaf(at, RW | PAGE_DEVICE, 1), at | 0x7f | BIT(63));
    assert_int_equal(page_format_npt.table(at), at | 0x27);
    assert_int_equal(page_format_npt.rights(at | 0x63, 1), 0); /* supervisor: the walk faults */

    assert_int_equal(page_format_ept.leaf(at, RWX, 1), at | 0x37);
    assert_int_equal(page_format_ept.leaf(at, PAGE_READ, 1), at | 0x31);
    assert_int_equal(page_format_ept.leaf(PAGE_1G, RWX, 3), PAGE_1G | 0xb7);
    assert_int_equal(page_format_ept.leaf(at, RW | PAGE_DEVICE, 1), at | 0x03);
    assert_int_equal(page_format_ept.table(at), at | 0x07);
    assert_int_equal(page_format_ept.rights(at | 0x03, 1), RW | PAGE_DEVICE);

    assert_int_equal(page_format_vtd.leaf(at, RWX, 1), at | 0x03);
    assert_int_equal(page_format_vtd.leaf(PAGE_2M, RW | PAGE_SNOOPED, 2), PAGE_2M | 0x883);
    assert_int_equal(page_format_vtd.rights(PAGE_2M | 0x883, 2), RW | PAGE_SNOOPED);
    assert_int_equal(page_format_vtd.rights(PAGE_2M | 0x880, 2), 0);
    assert_int_equal(page_format_vtd.leaf(PAGE_2M, PAGE_READ, 2), PAGE_2M | 0x81);
    assert_int_equal(page_format_vtd.table(at), at | 0x03);
}

/* SDM 3C 29.3.7.2 and table 4-11 of 3A: each memory type that a leaf can name, and what it is. */
static void test_memory_types(void **state)
{
    for (unsigned type = 0; type < 16; type++) { /* EPT: bits 6:3, of which bit 6 is IPAT */
        unsigned expected = type == 0 ? PAGE_DEVICE : type == 6 ? 0 : PAGE_OTHER_TYPE;
        for (unsigned level = 1; level <= 3; level++)
            assert_int_equal(page_format_ept.rights(3 | type << 3 | (level > 1 ? 0x80 : 0), level),
                             RW | expected);
    }
    static const unsigned types[8] = {0,
                                      PAGE_COMBINED,
                                      PAGE_OTHER_TYPE,
                                      PAGE_DEVICE,
                                      PAGE_OTHER_TYPE,
                                      PAGE_OTHER_TYPE,
                                      PAGE_OTHER_TYPE,
                                      PAGE_OTHER_TYPE};
    for (unsigned index = 0; index < 8; index++) { /* PWT, PCD and PAT */
        unsigned expected = types[index];
        uint64_t low = 7 | BIT(63) | (index & 3) << 3;
        uint64_t small = low | (index & 4 ? BIT(7) : 0);
        uint64_t large = low | BIT(7) | (index & 4 ? BIT(12) : 0);
        assert_int_equal(page_format_npt.rights(small, 1), RW | expected);
        assert_int_equal(page_format_npt.rights(large, 2), RW | expected);
        assert_int_equal(page_format_host.rights(small, 1), RW | expected);
        assert_int_equal(page_format_host.rights(large, 3), RW | expected);
    }
}

static void test_rights_round_trip(void **state)
{
    static const unsigned rights[] = {PAGE_READ, RW, PAGE_READ | PAGE_EXECUTE, RWX,
                                      RW | PAGE_DEVICE};
    for (size_t f = 0; f < ARRAY_SIZE(formats); f++) {
        unsigned visible = formats[f] == &page_format_vtd ? RW : RWX | PAGE_DEVICE;
        for (size_t r = 0; r < ARRAY_SIZE(rights); r++) {
            for (unsigned level = 1; level <= 3; level++) {
                uint64_t entry = formats[f]->leaf(PAGE_1G * 5, rights[r], level);
                assert_true(page_entry_is_leaf(entry, level));
                assert_int_equal(formats[f]->rights(entry, level), rights[r] & visible);
                assert_int_equal(entry & PAGE_ENTRY_ADDRESS, PAGE_1G * 5);
            }
        }
        assert_int_equal(formats[f]->rights(0, 1), 0);
        for (unsigned level = 2; level <= 5; level++)
            assert_false(page_entry_is_leaf(formats[f]->table(PAGE_SIZE), level));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format_bits),
        cmocka_unit_test(test_memory_types),
        cmocka_unit_test(test_rights_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
