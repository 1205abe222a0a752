/* SPDX-License-Identifier: MIT */
/*
 * What second-level tables cost: maps one GiB with pages of at most 4K, 2M and 1G, as a domain
 * does, and prints a line for each: page size, bytes of tables, leaves. build/tables
 */
#include <stdio.h>

#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/page_table.h"

void cache_flush_range(const volatile void *address, size_t size)
{
    (void)address, (void)size;
}

int main(void)
{
    static const char *const names[] = {"4K", "2M", "1G"};
    for (unsigned level = 1; level <= 3; level++) {
        struct page_table table;
        struct page_walk walk;
        unsigned leaves = 0;
        uint64_t at = 0;
        if (page_table_create(&table, &page_format_vtd, 4, level, false) != STATUS_OK ||
            page_table_map(&table, 0, GIB(1), GIB(1), PAGE_READ | PAGE_WRITE) != STATUS_OK)
            return 1;
        for (; page_table_next(&table, &at, &walk) && walk.present; at += walk.page_size)
            leaves++;
        printf("%s %zu %u\n", names[level - 1], table.table_pages * (size_t)PAGE_SIZE, leaves);
        page_table_destroy(&table);
    }
    return 0;
}
