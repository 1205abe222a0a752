/* SPDX-License-Identifier: MIT */
// clang-format off
// SOURCES: hypervisor/memory/page_table.c hypervisor/memory/formats.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
// UNWIND: 4
// VARIANTS: -DFORMAT=page_format_ept -DFORMAT_RIGHTS=15 | -DFORMAT=page_format_npt -DFORMAT_RIGHTS=15 | -DFORMAT=page_format_host -DFORMAT_RIGHTS=15
// DEFINES: -DPAGE_TABLE_BITS=1
// FLAGS: --object-bits 12
// BOUND: 2 entries a table, 3 levels; a large page of 2 pages without the right to execute
// PLANT: hypervisor/memory/page_table.c ==> return divide(table, &walk, PAGE_EXECUTE); ==> return divide(table, &walk, PAGE_EXECUTE | PAGE_WRITE);
// clang-format on
/* Letting code run splits the large page and gives no other right: the translation stays, and so
 * does everything when there is no memory. */
#include "tests/prove/page_table.h"

int main(void)
{
    const uint64_t large = PAGE_SIZE * ENTRIES;
    struct page_table table;
    struct page_walk walk;
    uint64_t input = any_page(INPUT_END), physical = any_page(BIT(51)), at = any_page(INPUT_END);
    unsigned rights = (any_rights() | PAGE_READ) & ~(unsigned)PAGE_EXECUTE;
    ASSUME(IS_ALIGNED(input | physical, large));
    if (page_table_create(&table, &FORMAT, LEVELS, 2, false) != STATUS_OK ||
        page_table_map(&table, input, physical, large, rights) != STATUS_OK)
        return 0;
    enum status status = page_table_allow_execute(&table, at);
    uint64_t other = nondet_uint64();
    page_table_walk(&table, other, &walk);
    bool inside = other >= input && other - input < large;
    CLAIM(walk.present == inside);
    CLAIM((status == STATUS_NOT_FOUND) == !(at >= input && at - input < large));
    if (inside) {
        CLAIM(walk.physical == physical + (other - input));
        CLAIM(walk.rights == (status == STATUS_OK ? rights | PAGE_EXECUTE : rights));
        CLAIM(walk.page_size == (status == STATUS_OK ? PAGE_SIZE : large));
    }
    return 0;
}
