/* SPDX-License-Identifier: MIT */
// clang-format off
// SOURCES: hypervisor/memory/page_table.c hypervisor/memory/formats.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
// UNWIND: 6
// VARIANTS: -DFORMAT=page_format_ept -DFORMAT_RIGHTS=15 | -DFORMAT=page_format_npt -DFORMAT_RIGHTS=15 | -DFORMAT=page_format_vtd -DFORMAT_RIGHTS=19 | -DFORMAT=page_format_host -DFORMAT_RIGHTS=15
// DEFINES: -DPAGE_TABLE_BITS=2
// BOUND: 4 entries a table, 3 levels; any page, physical address and rights; memory may run out
// PLANT: hypervisor/memory/page_table.c ==> write_entry(table, &page[index], table->format->leaf(physical, rights, level)); ==> write_entry(table, &page[index], table->format->leaf(physical, rights | PAGE_WRITE, level));
// clang-format on
/* A page that was mapped translates to where it was to, with the rights it was to have; no other
 * input is mapped by it; and what is refused maps nothing. */
#include "tests/prove/page_table.h"

int main(void)
{
    struct page_table table;
    struct page_walk walk;
    if (page_table_create(&table, &FORMAT, LEVELS, 1, false) != STATUS_OK)
        return 0;
    uint64_t input = any_page(BIT(52)), physical = any_page(BIT(52)), other = nondet_uint64();
    unsigned rights = any_rights();
    enum status status = page_table_map(&table, input, physical, PAGE_SIZE, rights);
    page_table_walk(&table, other, &walk);
    bool inside = other >= input && other - input < PAGE_SIZE;
    CLAIM(status != STATUS_OK || (input < INPUT_END && (rights & PAGE_READ) != 0));
    CLAIM(walk.present == (status == STATUS_OK && inside));
    if (walk.present) {
        CLAIM(walk.physical == physical + (other - input));
        CLAIM(walk.rights == rights);
        CLAIM(walk.page_size == PAGE_SIZE);
    }
    return 0;
}
