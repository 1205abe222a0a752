/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/memory/page_table.c hypervisor/memory/formats.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
/* Code runs from 4 KiB pages only, data keeps its large ones (iTLB multihit, CVE-2018-12207). */
#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/page_table.h"
#include "hypervisor/memory/pages.h"
#include "tests/unit/support/host.h"

#define RW (PAGE_READ | PAGE_WRITE)
#define X  PAGE_EXECUTE

static struct page_table table;

void cache_flush_range(const volatile void *address, size_t size)
{
    (void)address, (void)size;
}

static void expect(uint64_t input, uint64_t physical, uint64_t page_size, unsigned rights)
{
    struct page_walk walk;
    page_table_walk(&table, input, &walk);
    assert_true(walk.present);
    assert_int_equal(walk.physical, physical);
    assert_int_equal(walk.page_size, page_size);
    assert_int_equal(walk.rights, rights);
}

static int setup(void **state)
{
    return page_table_create(&table, &page_format_ept, 4, 3, false) == STATUS_OK ? 0 : 1;
}

static int teardown(void **state)
{
    host_pages_limit(SIZE_MAX);
    page_table_destroy(&table);
    return pages_in_use() == 0 ? 0 : 1;
}

static void a_large_page_is_replaced(void **state)
{
    assert_int_equal(page_table_map(&table, 0, 8 * PAGE_2M, 4 * PAGE_2M, RW), STATUS_OK);
    assert_int_equal(page_table_allow_execute(&table, PAGE_2M + 0x1234), STATUS_OK);
    expect(PAGE_2M, 9 * PAGE_2M, PAGE_SIZE, RW | X);
    expect(2 * PAGE_2M - 1, 10 * PAGE_2M - 1, PAGE_SIZE, RW | X);
    expect(PAGE_2M - 1, 9 * PAGE_2M - 1, PAGE_2M, RW);
    expect(2 * PAGE_2M, 10 * PAGE_2M, PAGE_2M, RW);
    size_t pages = table.table_pages;
    assert_int_equal(page_table_allow_execute(&table, PAGE_2M), STATUS_OK); /* again */
    assert_int_equal(table.table_pages, pages);
    expect(PAGE_2M, 9 * PAGE_2M, PAGE_SIZE, RW | X);
}

static void a_page_of_1g_keeps_the_rest_large(void **state)
{
    assert_int_equal(page_table_map(&table, PAGE_1G, 4 * PAGE_1G, PAGE_1G, RW), STATUS_OK);
    assert_int_equal(page_table_allow_execute(&table, PAGE_1G + 5 * PAGE_2M), STATUS_OK);
    expect(PAGE_1G + 5 * PAGE_2M, 4 * PAGE_1G + 5 * PAGE_2M, PAGE_SIZE, RW | X);
    expect(PAGE_1G + 4 * PAGE_2M, 4 * PAGE_1G + 4 * PAGE_2M, PAGE_2M, RW);
    expect(2 * PAGE_1G - 1, 5 * PAGE_1G - 1, PAGE_2M, RW);
}

static void small_pages_gain_the_right(void **state)
{
    assert_int_equal(page_table_map(&table, PAGE_SIZE, PAGE_2M, 3 * PAGE_SIZE, RW), STATUS_OK);
    assert_int_equal(page_table_map(&table, PAGE_2M, 4 * PAGE_2M, PAGE_2M, RW), STATUS_OK);
    assert_int_equal(page_table_allow_execute(&table, 2 * PAGE_SIZE), STATUS_OK);
    expect(PAGE_SIZE, PAGE_2M, PAGE_SIZE, RW | X);
    expect(3 * PAGE_SIZE, PAGE_2M + 2 * PAGE_SIZE, PAGE_SIZE, RW | X);
    expect(PAGE_2M, 4 * PAGE_2M, PAGE_2M, RW);
}

static void what_is_not_mapped_stays_so(void **state)
{
    struct page_walk walk;
    assert_int_equal(page_table_map(&table, 0, 0, PAGE_SIZE, RW), STATUS_OK);
    assert_int_equal(page_table_allow_execute(&table, PAGE_SIZE), STATUS_NOT_FOUND);
    assert_int_equal(page_table_allow_execute(&table, 7 * PAGE_1G), STATUS_NOT_FOUND);
    assert_int_equal(page_table_allow_execute(&table, BIT(48)), STATUS_INVALID);
    page_table_walk(&table, PAGE_SIZE, &walk);
    assert_false(walk.present);
    expect(0, 0, PAGE_SIZE, RW);
}

static void without_memory_nothing_changes(void **state)
{
    assert_int_equal(page_table_map(&table, 0, 0, PAGE_1G, RW), STATUS_OK);
    host_pages_limit(pages_in_use());
    assert_int_equal(page_table_allow_execute(&table, 0), STATUS_NO_MEMORY);
    expect(0, 0, PAGE_1G, RW);
    host_pages_limit(pages_in_use() + 1);
    assert_int_equal(page_table_allow_execute(&table, 0), STATUS_NO_MEMORY);
    expect(0, 0, PAGE_2M, RW);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_large_page_is_replaced),       TEST(a_page_of_1g_keeps_the_rest_large),
        TEST(small_pages_gain_the_right),     TEST(what_is_not_mapped_stays_so),
        TEST(without_memory_nothing_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
