/* SPDX-License-Identifier: MIT */
// The page-table engine, randomised, against a plain array of 4 KiB pages.
// SOURCES: hypervisor/memory/page_table.c hypervisor/memory/formats.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
#include <stdlib.h>
#include <string.h>

#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/page_table.h"
#include "hypervisor/memory/pages.h"
#include "tests/unit/support/host.h"

static const struct page_table_format *const formats[] = {&page_format_host, &page_format_ept,
                                                          &page_format_npt, &page_format_vtd};

void cache_flush_range(const volatile void *address, size_t size)
{
    fail_msg("%zu bytes at %p flushed for a walker that snoops", size, (const void *)address);
}

#define MODEL_PAGES (3u * 512u * 512u + 1000u) /* three 1 GiB regions and a bit */

static uint32_t random_state = 20240607;

static uint32_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

static uint64_t random_page(uint64_t below)
{
    static const uint64_t grain[] = {1, 1, 512, 512, 512 * 512};
    uint64_t unit = grain[next_random() % ARRAY_SIZE(grain)];
    return next_random() % below / unit * unit;
}

static void check_against(const struct page_table *table, const uint64_t *model)
{
    struct page_walk walk;
    uint64_t at = 0;
    uint64_t page = 0;
    while (page_table_next(table, &at, &walk)) {
        for (; page < at / PAGE_SIZE; page++)
            assert_int_equal(model[page], 0);
        for (uint64_t i = 0; i < walk.page_size / PAGE_SIZE; i++, page++)
            assert_int_equal(model[page], walk.physical + i * PAGE_SIZE);
        at += walk.page_size;
    }
    for (; page < MODEL_PAGES; page++)
        assert_int_equal(model[page], 0);
}

static void test_random_against_model(void **state)
{
    uint64_t *model = calloc(MODEL_PAGES, sizeof *model);
    for (size_t f = 0; f < ARRAY_SIZE(formats); f++) {
        memset(model, 0, MODEL_PAGES * sizeof *model);
        struct page_table table;
        assert_int_equal(page_table_create(&table, formats[f], 4, 3, false), STATUS_OK);
        for (unsigned round = 0; round < 60; round++) {
            uint64_t first = random_page(MODEL_PAGES);
            uint64_t count = 1 + random_page(MODEL_PAGES - first) / (next_random() % 4 + 1);
            if (next_random() % 3 != 0) {
                uint64_t physical = (first + 512 * 512 * (1 + next_random() % 9)) * PAGE_SIZE;
                if (next_random() % 4 == 0)
                    physical += PAGE_SIZE;
                bool busy = false;
                for (uint64_t i = first; i < first + count; i++)
                    busy |= model[i] != 0;
                enum status status = page_table_map(&table, first * PAGE_SIZE, physical,
                                                    count * PAGE_SIZE, PAGE_READ | PAGE_WRITE);
                assert_int_equal(status, busy ? STATUS_BUSY : STATUS_OK);
                if (!busy)
                    for (uint64_t i = 0; i < count; i++)
                        model[first + i] = physical + i * PAGE_SIZE;
            } else {
                assert_int_equal(page_table_unmap(&table, first * PAGE_SIZE, count * PAGE_SIZE),
                                 STATUS_OK);
                memset(model + first, 0, count * sizeof *model);
            }
            check_against(&table, model);
        }
        assert_int_equal(table.table_pages, pages_in_use());
        page_table_destroy(&table);
        assert_int_equal(pages_in_use(), 0);
    }
    free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_against_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
