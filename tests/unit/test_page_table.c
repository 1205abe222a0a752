/* SPDX-License-Identifier: MIT */
// The page-table engine and its four formats.
// SOURCES: hypervisor/memory/page_table.c hypervisor/memory/formats.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
#include <stdlib.h>
#include <string.h>

#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/page_table.h"
#include "hypervisor/memory/pages.h"
#include "tests/unit/support/host.h"

#define RW  (PAGE_READ | PAGE_WRITE)
#define RWX (PAGE_READ | PAGE_WRITE | PAGE_EXECUTE)

static const struct page_table_format *const formats[] = {&page_format_host, &page_format_ept,
                                                          &page_format_npt, &page_format_vtd};

/* --- the model of a walker that does not snoop: what was flushed, byte for byte --- */
static size_t flushed_bytes;
static size_t flush_calls;
static struct {
    const volatile void *address;
    size_t size;
    uint64_t first;
} flushes[4096];

void cache_flush_range(const volatile void *address, size_t size)
{
    flushed_bytes += size;
    if (flush_calls < ARRAY_SIZE(flushes)) {
        flushes[flush_calls].address = address;
        flushes[flush_calls].size = size;
        flushes[flush_calls].first = *(const volatile uint64_t *)address;
    }
    flush_calls++;
}

static struct page_table make(const struct page_table_format *format, unsigned levels,
                              unsigned leaf)
{
    struct page_table table;
    assert_int_equal(page_table_create(&table, format, levels, leaf, false), STATUS_OK);
    return table;
}

static void expect_page(const struct page_table *table, uint64_t input, uint64_t physical,
                        uint64_t page_size)
{
    struct page_walk walk;
    page_table_walk(table, input, &walk);
    assert_true(walk.present);
    assert_int_equal(walk.physical, physical);
    assert_int_equal(walk.page_size, page_size);
}

static bool present(const struct page_table *table, uint64_t input)
{
    struct page_walk walk;
    page_table_walk(table, input, &walk);
    return walk.present;
}

static int check_leak(void **state)
{
    host_pages_limit(SIZE_MAX);
    return pages_in_use() == 0 ? 0 : -1;
}

/* --- creation --- */
static void test_create_limits(void **state)
{
    struct page_table table;
    assert_int_equal(page_table_create(&table, &page_format_vtd, 2, 1, false), STATUS_INVALID);
    assert_int_equal(page_table_create(&table, &page_format_vtd, 6, 1, false), STATUS_INVALID);
    assert_int_equal(page_table_create(&table, &page_format_vtd, 4, 0, false), STATUS_INVALID);
    assert_int_equal(page_table_create(&table, &page_format_vtd, 4, 4, false), STATUS_INVALID);
    assert_int_equal(pages_in_use(), 0);
    host_pages_limit(0);
    assert_int_equal(page_table_create(&table, &page_format_vtd, 4, 1, false), STATUS_NO_MEMORY);
    page_table_destroy(&table);
}

static void test_input_limits(void **state)
{
    for (unsigned levels = 3; levels <= 5; levels++) {
        struct page_table table = make(&page_format_vtd, levels, 2);
        uint64_t end = BIT(12 + 9 * levels);
        assert_int_equal(page_table_map(&table, end - PAGE_SIZE, 0, PAGE_SIZE, RW), STATUS_OK);
        assert_int_equal(page_table_map(&table, end - PAGE_2M, 0, 2 * PAGE_2M, RW), STATUS_INVALID);
        assert_int_equal(page_table_map(&table, end, 0, PAGE_SIZE, RW), STATUS_INVALID);
        assert_int_equal(page_table_map(&table, 0, 0, UINT64_MAX & ~UINT64_C(4095), RW),
                         STATUS_INVALID);
        assert_int_equal(page_table_unmap(&table, end, PAGE_SIZE), STATUS_INVALID);
        struct page_walk walk;
        page_table_walk(&table, end - PAGE_SIZE, &walk);
        assert_int_equal(walk.steps, levels);
        assert_true(walk.present);
        page_table_walk(&table, end, &walk);
        assert_false(walk.present);
        assert_int_equal(walk.steps, 0);
        assert_int_equal(page_table_unmap(&table, 0, end), STATUS_OK);
        assert_false(present(&table, end - PAGE_SIZE));
        page_table_destroy(&table);
    }
}

static void test_bad_arguments(void **state)
{
    struct page_table table = make(&page_format_ept, 4, 3);
    assert_int_equal(page_table_map(&table, 1, 0, PAGE_SIZE, RW), STATUS_INVALID);
    assert_int_equal(page_table_map(&table, 0, 8, PAGE_SIZE, RW), STATUS_INVALID);
    assert_int_equal(page_table_map(&table, 0, 0, 100, RW), STATUS_INVALID);
    assert_int_equal(page_table_map(&table, 0, 0, PAGE_SIZE, PAGE_WRITE), STATUS_INVALID);
    assert_int_equal(page_table_map(&table, 0, 0, PAGE_SIZE, 0), STATUS_INVALID);
    assert_int_equal(page_table_map(&table, 0, BIT(52), PAGE_SIZE, RW), STATUS_INVALID);
    assert_int_equal(page_table_map(&table, 0, BIT(52) - PAGE_SIZE, 2 * PAGE_SIZE, RW),
                     STATUS_INVALID);
    assert_int_equal(page_table_map(&table, 0, UINT64_MAX - 4095, 2 * PAGE_SIZE, RW),
                     STATUS_INVALID);
    assert_int_equal(page_table_map(&table, 0, 0, 0, RW), STATUS_OK);
    assert_int_equal(page_table_unmap(&table, 1, PAGE_SIZE), STATUS_INVALID);
    assert_int_equal(table.table_pages, 1);
    page_table_destroy(&table);
}

/* --- page sizes --- */
static void test_sizes_by_alignment(void **state)
{
    for (size_t f = 0; f < ARRAY_SIZE(formats); f++) {
        struct page_table table = make(formats[f], 4, 3);
        /* 4K up to the 2M border, 2M up to the 1G border, 1G, then down again. */
        uint64_t input = PAGE_1G - PAGE_2M - PAGE_SIZE;
        uint64_t size = PAGE_SIZE + PAGE_2M + PAGE_1G + PAGE_2M + PAGE_SIZE;
        uint64_t physical = input + 8 * PAGE_1G;
        assert_int_equal(page_table_map(&table, input, physical, size, RW), STATUS_OK);
        expect_page(&table, input + 5, physical + 5, PAGE_SIZE);
        expect_page(&table, PAGE_1G - 1, 9 * PAGE_1G - 1, PAGE_2M);
        expect_page(&table, PAGE_1G + 77, 9 * PAGE_1G + 77, PAGE_1G);
        expect_page(&table, 2 * PAGE_1G, 10 * PAGE_1G, PAGE_2M);
        expect_page(&table, 2 * PAGE_1G + PAGE_2M, 10 * PAGE_1G + PAGE_2M, PAGE_SIZE);
        assert_false(present(&table, input - 1));
        assert_false(present(&table, input + size));
        /* root, third level, second level twice, first level twice */
        assert_int_equal(table.table_pages, 6);
        page_table_destroy(&table);
        assert_int_equal(pages_in_use(), 0);
    }
}

static void test_largest_leaf_is_respected(void **state)
{
    static const uint64_t sizes[] = {PAGE_SIZE, PAGE_2M, PAGE_1G};
    for (unsigned leaf = 1; leaf <= 3; leaf++) {
        struct page_table table = make(&page_format_vtd, 4, leaf);
        assert_int_equal(page_table_map(&table, PAGE_1G, 3 * PAGE_1G, PAGE_1G, RW), STATUS_OK);
        expect_page(&table, PAGE_1G + 0x345678, 3 * PAGE_1G + 0x345678, sizes[leaf - 1]);
        page_table_destroy(&table);
    }
}

static void test_misaligned_physical_uses_small_pages(void **state)
{
    struct page_table table = make(&page_format_ept, 4, 3);
    assert_int_equal(page_table_map(&table, 0, PAGE_SIZE, 2 * PAGE_2M, RWX), STATUS_OK);
    expect_page(&table, PAGE_2M, PAGE_2M + PAGE_SIZE, PAGE_SIZE);
    page_table_destroy(&table);
}

static void test_rights_intersect_along_the_path(void **state)
{
    struct page_table table = make(&page_format_ept, 4, 3);
    assert_int_equal(page_table_map(&table, 0, 0, PAGE_SIZE, RWX), STATUS_OK);
    struct page_walk walk;
    page_table_walk(&table, 0, &walk);
    assert_int_equal(walk.rights, RWX);
    assert_int_equal(walk.steps, 4);
    assert_int_equal(walk.step[0].level, 4);
    assert_int_equal(walk.step[0].entry_address, physical_address(table.root));
    table.root[0] &= ~UINT64_C(2); /* no writing below this entry */
    page_table_walk(&table, 0, &walk);
    assert_int_equal(walk.rights, PAGE_READ | PAGE_EXECUTE);
    page_table_destroy(&table);
}

/* --- overlap --- */
static uint64_t checksum(const struct page_table *table)
{
    uint64_t sum = table->table_pages;
    struct page_walk walk;
    for (uint64_t at = 0; page_table_next(table, &at, &walk); at += walk.page_size)
        sum = sum * 31 + at * 7 + walk.physical * 3 + walk.page_size + walk.rights;
    return sum;
}

static void test_overlap_changes_nothing(void **state)
{
    struct page_table table = make(&page_format_ept, 4, 3);
    assert_int_equal(page_table_map(&table, PAGE_1G, 0, PAGE_1G, RW), STATUS_OK);
    assert_int_equal(page_table_map(&table, 4 * PAGE_1G, 0, PAGE_SIZE, RW), STATUS_OK);
    uint64_t before = checksum(&table);
    static const struct {
        uint64_t input, size;
    } overlaps[] = {
        {PAGE_1G, PAGE_SIZE},                   /* first page of a large one */
        {2 * PAGE_1G - PAGE_SIZE, PAGE_SIZE},   /* its last */
        {PAGE_1G - PAGE_SIZE, 2 * PAGE_SIZE},   /* from below */
        {2 * PAGE_1G - PAGE_SIZE, 3 * PAGE_1G}, /* from inside */
        {0, 8 * PAGE_1G},                       /* around all */
        {3 * PAGE_1G, PAGE_1G + PAGE_SIZE},     /* only the very last page */
    };
    for (size_t i = 0; i < ARRAY_SIZE(overlaps); i++) {
        assert_int_equal(
            page_table_map(&table, overlaps[i].input, 16 * PAGE_1G, overlaps[i].size, RW),
            STATUS_BUSY);
        assert_int_equal(checksum(&table), before);
    }
    assert_int_equal(page_table_map(&table, 2 * PAGE_1G, 0, 2 * PAGE_1G, RW), STATUS_OK);
    page_table_destroy(&table);
}

/* --- unmapping --- */
static void test_unmap_splits_large_pages(void **state)
{
    for (size_t f = 0; f < ARRAY_SIZE(formats); f++) {
        struct page_table table = make(formats[f], 4, 3);
        unsigned rights = formats[f] == &page_format_vtd ? PAGE_READ : PAGE_READ | PAGE_DEVICE;
        assert_int_equal(page_table_map(&table, PAGE_1G, 7 * PAGE_1G, PAGE_1G, rights), STATUS_OK);
        uint64_t hole = PAGE_1G + 3 * PAGE_2M + PAGE_SIZE;
        assert_int_equal(page_table_unmap(&table, hole, PAGE_SIZE), STATUS_OK);
        assert_false(present(&table, hole));
        expect_page(&table, hole - 1, hole - 1 + 6 * PAGE_1G, PAGE_SIZE);
        expect_page(&table, hole + PAGE_SIZE, hole + PAGE_SIZE + 6 * PAGE_1G, PAGE_SIZE);
        expect_page(&table, PAGE_1G, 7 * PAGE_1G, PAGE_2M);
        expect_page(&table, 2 * PAGE_1G - 1, 8 * PAGE_1G - 1, PAGE_2M);
        struct page_walk walk;
        page_table_walk(&table, hole - 1, &walk);
        assert_int_equal(walk.rights, rights);
        page_table_walk(&table, PAGE_1G, &walk);
        assert_int_equal(walk.rights, rights);
        page_table_destroy(&table);
    }
}

static void test_unmap_is_bounded_by_its_range(void **state)
{
    struct page_table table = make(&page_format_npt, 4, 2);
    assert_int_equal(page_table_map(&table, 0, 0, 4 * PAGE_2M, RWX), STATUS_OK);
    assert_int_equal(page_table_unmap(&table, PAGE_2M, 2 * PAGE_2M), STATUS_OK);
    assert_true(present(&table, PAGE_2M - 1));
    assert_false(present(&table, PAGE_2M));
    assert_false(present(&table, 3 * PAGE_2M - 1));
    assert_true(present(&table, 3 * PAGE_2M));
    assert_int_equal(page_table_unmap(&table, PAGE_2M, 2 * PAGE_2M), STATUS_OK); /* nothing left */
    assert_int_equal(page_table_unmap(&table, 0, 0), STATUS_OK);
    assert_true(present(&table, 0));
    page_table_destroy(&table);
}

static void test_unmap_without_memory_changes_no_translation(void **state)
{
    struct page_table table = make(&page_format_ept, 4, 3);
    assert_int_equal(page_table_map(&table, 0, 0, 2 * PAGE_1G, RWX), STATUS_OK);
    /* Two tables are needed at each end: let every possible number of them run out. */
    for (size_t spare = 0; spare < 4; spare++) {
        host_pages_limit(pages_in_use() + (spare == 0 ? 0 : 1));
        assert_int_equal(page_table_unmap(&table, PAGE_SIZE, 2 * PAGE_1G - 2 * PAGE_SIZE),
                         STATUS_NO_MEMORY);
        for (uint64_t at = 0; at < 2 * PAGE_1G; at += PAGE_2M / 2)
            assert_true(present(&table, at));
    }
    host_pages_limit(SIZE_MAX);
    assert_int_equal(page_table_unmap(&table, PAGE_SIZE, 2 * PAGE_1G - 2 * PAGE_SIZE), STATUS_OK);
    assert_true(present(&table, 0));
    assert_false(present(&table, PAGE_SIZE));
    assert_true(present(&table, 2 * PAGE_1G - 1));
    page_table_destroy(&table);
}

static void test_empty_tables_are_kept_and_reused(void **state)
{
    struct page_table table = make(&page_format_vtd, 4, 2);
    assert_int_equal(page_table_map(&table, 0, 0, PAGE_SIZE, RW), STATUS_OK);
    size_t before = table.table_pages;
    assert_int_equal(page_table_unmap(&table, 0, PAGE_SIZE), STATUS_OK);
    assert_int_equal(table.table_pages, before);
    /* The hardware may still hold the empty table: it is filled, not replaced by a large page. */
    assert_int_equal(page_table_map(&table, 0, PAGE_2M, 2 * PAGE_2M, RW), STATUS_OK);
    assert_int_equal(table.table_pages, before);
    expect_page(&table, PAGE_SIZE, PAGE_2M + PAGE_SIZE, PAGE_SIZE);
    expect_page(&table, PAGE_2M, 2 * PAGE_2M, PAGE_2M);
    page_table_destroy(&table);
}

/* --- exhaustion --- */
static void test_map_runs_out_of_pages(void **state)
{
    for (size_t limit = 1; limit < 5; limit++) {
        struct page_table table = make(&page_format_ept, 4, 3);
        host_pages_limit(limit);
        /* needs root + 3 tables, and a fifth behind the first 2 MiB */
        assert_int_equal(page_table_map(&table, PAGE_2M - PAGE_SIZE, 0, 2 * PAGE_SIZE, RWX),
                         STATUS_NO_MEMORY);
        assert_int_equal(page_table_unmap(&table, PAGE_2M - PAGE_SIZE, 2 * PAGE_SIZE), STATUS_OK);
        struct page_walk walk;
        uint64_t at = 0;
        assert_false(page_table_next(&table, &at, &walk));
        host_pages_limit(SIZE_MAX);
        page_table_destroy(&table);
        assert_int_equal(pages_in_use(), 0);
    }
}

/* The direct map's tables are made so: setup/address_space.c. */
static void test_tables_made_ahead(void **state)
{
    struct page_table table = make(&page_format_host, 4, 2);
    for (uint64_t at = 0; at < 4 * PAGE_1G; at += PAGE_1G) {
        assert_int_equal(page_table_map(&table, at, 0, PAGE_2M, PAGE_READ), STATUS_OK);
        assert_int_equal(page_table_unmap(&table, at, PAGE_2M), STATUS_OK);
    }
    assert_int_equal(table.table_pages, 1 + 1 + 4);
    struct page_walk walk;
    uint64_t at = 0;
    assert_false(page_table_next(&table, &at, &walk));
    host_pages_limit(pages_in_use());
    assert_int_equal(page_table_map(&table, 3 * PAGE_1G, 0, PAGE_1G, RW), STATUS_OK);
    assert_int_equal(page_table_map(&table, PAGE_2M, 0, PAGE_2M, RW), STATUS_OK);
    assert_int_equal(page_table_map(&table, 0, 0, PAGE_SIZE, RW), STATUS_NO_MEMORY);
    page_table_destroy(&table);
}

/* --- iteration --- */
static void test_next_over_a_sparse_tree(void **state)
{
    struct page_table table = make(&page_format_vtd, 5, 3);
    static const struct {
        uint64_t input, size;
    } leaves[] = {
        {PAGE_SIZE, PAGE_SIZE},           {PAGE_2M * 511, PAGE_2M},
        {PAGE_1G * 512, PAGE_1G},         {BIT(48) + PAGE_SIZE * 511, PAGE_SIZE},
        {BIT(57) - PAGE_SIZE, PAGE_SIZE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(leaves); i++)
        assert_int_equal(page_table_map(&table, leaves[i].input, 64 * PAGE_1G, leaves[i].size, RW),
                         STATUS_OK);
    struct page_walk walk;
    uint64_t at = 0;
    for (size_t i = 0; i < ARRAY_SIZE(leaves); i++) {
        assert_true(page_table_next(&table, &at, &walk));
        assert_int_equal(at, leaves[i].input);
        assert_int_equal(walk.page_size, leaves[i].size);
        assert_int_equal(walk.physical, 64 * PAGE_1G);
        at += walk.page_size;
    }
    assert_false(page_table_next(&table, &at, &walk));
    at = PAGE_1G * 512 + 0x12345000; /* from inside a leaf: that leaf, from its start */
    assert_true(page_table_next(&table, &at, &walk));
    assert_int_equal(at, PAGE_1G * 512);
    assert_int_equal(walk.physical, 64 * PAGE_1G);
    page_table_destroy(&table);
}

/* --- what a non-coherent walker needs --- */
static void test_every_written_entry_is_flushed(void **state)
{
    struct page_table table;
    flush_calls = 0;
    assert_int_equal(page_table_create(&table, &page_format_vtd, 4, 2, true), STATUS_OK);
    assert_int_equal(flush_calls, 1); /* the root */
    flush_calls = 0;
    assert_int_equal(page_table_map(&table, PAGE_2M - PAGE_SIZE, 0, 2 * PAGE_SIZE, RW), STATUS_OK);
    /* Each table before the entry that points at it, then the leaf; the second leaf needs one more
     * first-level table. */
    static const size_t sizes[] = {4096, 8, 4096, 8, 4096, 8, 8, 4096, 8, 8};
    assert_int_equal(flush_calls, ARRAY_SIZE(sizes));
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        assert_int_equal(flushes[i].size, sizes[i]);
        if (sizes[i] == 8)
            assert_int_not_equal(flushes[i].first, 0);
        if (sizes[i] == 4096)
            assert_int_equal(flushes[i + 1].first, physical_address(flushes[i].address) | 3);
    }
    flush_calls = 0;
    assert_int_equal(page_table_unmap(&table, PAGE_2M - PAGE_SIZE, 2 * PAGE_SIZE), STATUS_OK);
    assert_int_equal(flush_calls, 2);
    assert_int_equal(flushes[0].first, 0);
    /* A split: the new table complete in memory before its parent, then the hole. */
    assert_int_equal(page_table_map(&table, 4 * PAGE_2M, 0, PAGE_2M, RW), STATUS_OK);
    flush_calls = 0;
    assert_int_equal(page_table_unmap(&table, 4 * PAGE_2M, PAGE_SIZE), STATUS_OK);
    assert_int_equal(flush_calls, 3);
    assert_int_equal(flushes[0].size, 4096);
    assert_int_equal(flushes[0].first, 3); /* already filled */
    assert_int_equal(flushes[1].first, physical_address(flushes[0].address) | 3);
    assert_ptr_equal(flushes[2].address, flushes[0].address);
    page_table_destroy(&table);

    flush_calls = 0;
    table = make(&page_format_vtd, 4, 2);
    assert_int_equal(page_table_map(&table, 0, 0, PAGE_SIZE, RW), STATUS_OK);
    assert_int_equal(page_table_unmap(&table, 0, PAGE_SIZE), STATUS_OK);
    assert_int_equal(flush_calls, 0);
    page_table_destroy(&table);
}

#define TEST(name) cmocka_unit_test_teardown(name, check_leak)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_create_limits),
        TEST(test_input_limits),
        TEST(test_bad_arguments),
        TEST(test_sizes_by_alignment),
        TEST(test_largest_leaf_is_respected),
        TEST(test_misaligned_physical_uses_small_pages),
        TEST(test_rights_intersect_along_the_path),
        TEST(test_overlap_changes_nothing),
        TEST(test_unmap_splits_large_pages),
        TEST(test_unmap_is_bounded_by_its_range),
        TEST(test_unmap_without_memory_changes_no_translation),
        TEST(test_empty_tables_are_kept_and_reused),
        TEST(test_map_runs_out_of_pages),
        TEST(test_tables_made_ahead),
        TEST(test_next_over_a_sparse_tree),
        TEST(test_every_written_entry_is_flushed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
