/* SPDX-License-Identifier: MIT */
// clang-format off
// SOURCES: hypervisor/memory/page_table.c hypervisor/memory/formats.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
// UNWIND: 4
// VARIANTS: -DFORMAT=page_format_ept -DFORMAT_RIGHTS=15 | -DFORMAT=page_format_npt -DFORMAT_RIGHTS=15 | -DFORMAT=page_format_vtd -DFORMAT_RIGHTS=19 | -DFORMAT=page_format_host -DFORMAT_RIGHTS=15
// DEFINES: -DPAGE_TABLE_BITS=1
// FLAGS: --object-bits 12
// BOUND: 2 entries a table, 3 levels; a large page of 2 pages, of which any one is unmapped
// PLANT: hypervisor/memory/page_table.c ==> write_entry(table, virtual_address(walk.step[walk.steps - 1].entry_address), 0); ==> write_entry(table, virtual_address(walk.step[0].entry_address), 0);
// clang-format on
/* Unmapping one page of a large one leaves the others as they were, whether or not there is memory
 * for the table that the split takes. */
#include "tests/prove/page_table.h"

int main(void)
{
    const uint64_t large = PAGE_SIZE * ENTRIES;
    struct page_table table;
    struct page_walk walk;
    uint64_t input = any_page(INPUT_END), physical = any_page(BIT(51)), gone = any_page(INPUT_END);
    unsigned rights = any_rights() | PAGE_READ;
    ASSUME(IS_ALIGNED(input | physical, large) && gone - input < large);
    if (page_table_create(&table, &FORMAT, LEVELS, 2, false) != STATUS_OK ||
        page_table_map(&table, input, physical, large, rights) != STATUS_OK)
        return 0;
    enum status status = page_table_unmap(&table, gone, PAGE_SIZE);
    uint64_t other = nondet_uint64();
    page_table_walk(&table, other, &walk);
    bool left = other >= input && other - input < large &&
                (status != STATUS_OK || other < gone || other - gone >= PAGE_SIZE);
    CLAIM(status == STATUS_OK || status == STATUS_NO_MEMORY);
    CLAIM(walk.present == left);
    CLAIM(!left || (walk.physical == physical + (other - input) && walk.rights == rights));
    return 0;
}
