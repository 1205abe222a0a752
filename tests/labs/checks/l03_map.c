/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/memory/page_table.c hypervisor/memory/formats.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
/* L3, steps 5 and 6: tables down to the page, and the whole range page by page. */
#include "tests/labs/checks/ept_bench.h"

#define M2 MIB(2)
#define G1 GIB(1)
#define RW (PAGE_READ | PAGE_WRITE)

static struct page_table table;

static void fresh(void)
{
    host_pages_limit(SIZE_MAX);
    page_table_destroy(&table);
    expect(page_table_create(&table, &page_format_ept, 4, 3, false) == STATUS_OK, "no table");
}

static enum status map(uint64_t input, uint64_t physical, uint64_t size, unsigned rights)
{
    asking("page_table_map(%#llx, %#llx, %#llx)", (unsigned long long)input,
           (unsigned long long)physical, (unsigned long long)size);
    return page_table_map(&table, input, physical, size, rights);
}

static void leads(uint64_t input, uint64_t physical, const char *where)
{
    struct ept_answer got = ept_walk(&table, input);
    expect(got.mapped, "%s, %#llx: nothing is mapped there", where, (unsigned long long)input);
    expect(got.physical == physical, "%s: %#llx leads to %#llx instead of %#llx", where,
           (unsigned long long)input, (unsigned long long)got.physical,
           (unsigned long long)physical);
    expect(got.rights == 3, "%s: rights %u instead of 3 (read, write)", where, got.rights);
}

static void empty(uint64_t input, const char *where)
{
    struct ept_answer got = ept_walk(&table, input);
    expect(!got.mapped,
           "%s: %#llx is mapped, to %#llx: one page too many is somebody else's memory", where,
           (unsigned long long)input, (unsigned long long)got.physical);
}

/* Large pages in the middle, small ones at both ends. */
static void a_range(void)
{
    const uint64_t from = G1 - 3 * 4096, to = 5 * G1 - 3 * 4096,
                   size = G1 + (uint64_t)seeded("more", 1, 9, 4) * M2 + 7 * 4096;
    fresh();
    expect(map(from, to, size, RW) == STATUS_OK, "%#llx bytes at %#llx were refused",
           (unsigned long long)size, (unsigned long long)from);
    leads(from, to, "the first page");
    leads(from + 2 * 4096, to + 2 * 4096, "the third page");
    leads(from + 3 * 4096, to + 3 * 4096, "the first large page");
    leads(from + 3 * 4096 + G1 + M2 - 4096, to + 3 * 4096 + G1 + M2 - 4096,
          "the first 2 MiB behind the large page");
    leads(from + size - 4096, to + size - 4096, "the last page");
    empty(from - 4096, "the page before the range");
    empty(from + size, "the page behind the range");
    for (uint64_t at = 0; at < size; at += M2)
        leads(from + at, to + at, "a page in the middle");
    expect(ept_walk(&table, G1).page_size == G1, "1 GiB in the middle was mapped in smaller pages");
    expect(table.table_pages <= 7,
           "%zu pages of tables for one range; the root, and one for each level on two ways, do",
           table.table_pages);
}

static void two_ranges(void)
{
    fresh();
    expect(map(0, G1, 4096, RW) == STATUS_OK && map(4096, 7 * G1, 4096, RW) == STATUS_OK,
           "the second of two neighbouring pages was refused: a table that is there is used, not "
           "replaced");
    leads(0, G1, "the first of two ranges, after the second was mapped");
    leads(4096, 7 * G1, "the second of two ranges");
    expect(table.table_pages == 4,
           "%zu pages of tables for two neighbours; 4 do: tables that are there are used",
           table.table_pages);
    expect(map(4096, 2 * G1, 4096, RW) == STATUS_BUSY,
           "a page that is mapped already was mapped again (STATUS_BUSY)");
    leads(4096, 7 * G1, "the page after a second map was refused");
    expect(map(0x10000, G1, M2, RW) == STATUS_OK && map(0, G1, 2 * M2, RW) == STATUS_BUSY,
           "a range of which a part is mapped was accepted (STATUS_BUSY)");
    empty(0x10000 + M2,
          "behind a range that was refused because a part is mapped: nothing may change");
    expect(map(0x8000, G1, M2, RW) == STATUS_BUSY,
           "a range whose first page is free was accepted, and a later one is mapped already "
           "(STATUS_BUSY)");
    empty(0x8000, "the first page of a range that was refused: nothing may change");
    fresh();
    expect(map(G1, G1, G1, RW) == STATUS_OK, "1 GiB was refused");
    expect(map(0, 2 * G1, 4096, RW) == STATUS_OK,
           "4 KiB at 0 were refused where only memory behind them is mapped");
    expect(map(G1 + 4096, 0, 4096, RW) == STATUS_BUSY,
           "4 KiB inside a page of 1 GiB were mapped again");
}

static void limits(void)
{
    fresh();
    expect(map(0x800, 0, 4096, RW) == STATUS_INVALID,
           "a guest's address that is not aligned to 4 KiB was accepted");
    expect(map(0, 0x800, 4096, RW) == STATUS_INVALID,
           "a physical address that is not aligned to 4 KiB was accepted");
    expect(map(0, 0, 0x800, RW) == STATUS_INVALID, "half a page was accepted");
    expect(map(BIT(48), 0, 4096, RW) == STATUS_INVALID,
           "an address beyond 48 bits was accepted in a table of 4 levels");
    expect(map(BIT(48) - 4096, 0, 2 * 4096, RW) == STATUS_INVALID,
           "a range that ends beyond 48 bits was accepted");
    expect(map(0, BIT(52), 4096, RW) == STATUS_INVALID,
           "a physical address of 53 bits was accepted: it ends in bit 51");
    expect(map(0, BIT(52) - 4096, 2 * 4096, RW) == STATUS_INVALID,
           "a range that ends beyond 52 bits of physical address was accepted");
    expect(map(0, UINT64_MAX - 4095, 2 * 4096, RW) == STATUS_INVALID,
           "a physical address of 64 bits was accepted: its end is not less than 2^52, it wraps");
    expect(map(0, BIT(52) - 4096, 4096, RW) == STATUS_OK,
           "the last page below 2^52 was refused as a physical address");
    fresh();
    expect(map(0, 0, 4096, PAGE_WRITE) == STATUS_INVALID,
           "write without read was accepted: that is an EPT misconfiguration (SDM 3C 29.3.3.1)");
    expect(map(0, 0, 0, RW) == STATUS_OK, "an empty range was refused");
    empty(0, "after an empty range");
    fresh();
    host_pages_limit(pages_in_use() + 1);
    expect(map(0, 0, 4096, RW) == STATUS_NO_MEMORY,
           "there is memory for one table and three are needed; the status is "
           "not STATUS_NO_MEMORY");
    empty(0, "after memory ran out");
    host_pages_limit(SIZE_MAX);
}

static void device(void)
{
    fresh();
    expect(map(0, G1, 4096, RW | PAGE_DEVICE) == STATUS_OK, "4 KiB of a device were refused");
    struct ept_answer got = ept_walk(&table, 0);
    expect(got.mapped && got.type == 0,
           "4 KiB of a device (PAGE_DEVICE): memory type %u instead of 0, uncacheable", got.type);
}

/* A table for a walker that does not snoop caches. */
static void flushes(void)
{
    host_pages_limit(SIZE_MAX);
    page_table_destroy(&table);
    memset(flushed, 0, sizeof flushed);
    expect(page_table_create(&table, &page_format_ept, 4, 3, true) == STATUS_OK, "no table");
    expect(map(0, G1, 4096, RW) == STATUS_OK && map(4096, 3 * G1, 4096, RW) == STATUS_OK,
           "4 KiB were refused");
    const uint64_t *page = table.root;
    for (unsigned level = 4; level >= 1; level--) {
        const uint64_t *slot = &page[level == 1 ? 1 : 0], *seen = flushed_word(slot);
        expect(seen != NULL && *seen == *slot,
               "the level-%u entry is in the cache alone, and the walker of this table does not "
               "look there (table->flush): %s writes and flushes",
               level, level > 1 ? "link_table()" : "write_entry()");
        page = level > 1 ? virtual_address(*slot & PAGE_ENTRY_ADDRESS) : NULL;
    }
}

void lab_check(void)
{
    a_range();
    two_ranges();
    limits();
    device();
    flushes();
    page_table_destroy(&table);
    expect(pages_in_use() == 0,
           "%zu pages of tables were lost: each is reached from the root, or nobody frees it",
           pages_in_use());
}
