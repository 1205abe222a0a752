/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/memory/page_table.c hypervisor/memory/formats.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
/* L3, step 4: the largest page that fits. */
#include "tests/labs/checks/ept_bench.h"

#define M2 MIB(2)
#define G1 GIB(1)

static struct page_table table;

static const char *name(uint64_t size)
{
    return size == 4096 ? "4 KiB" : size == M2 ? "2 MiB" : size == G1 ? "1 GiB" : "no page";
}

/* What maps the first byte of [input, input + size). */
static void ask(unsigned most, uint64_t input, uint64_t physical, uint64_t size, uint64_t wanted,
                const char *why)
{
    page_table_destroy(&table);
    expect(page_table_create(&table, &page_format_ept, 4, most, false) == STATUS_OK, "no table");
    asking("page_table_map(%#llx, %#llx, %#llx)", (unsigned long long)input,
           (unsigned long long)physical, (unsigned long long)size);
    expect(page_table_map(&table, input, physical, size, PAGE_READ) == STATUS_OK,
           "%#llx bytes at %#llx were refused", (unsigned long long)size,
           (unsigned long long)input);
    struct ept_answer got = ept_walk(&table, input);
    expect(got.mapped && got.page_size == wanted,
           "%#llx bytes at %#llx to %#llx: the first page is %s instead of %s; %s",
           (unsigned long long)size, (unsigned long long)input, (unsigned long long)physical,
           name(got.page_size), name(wanted), why);
}

void lab_check(void)
{
    const uint64_t at = (uint64_t)seeded("gigabyte", 1, 9, 3) * G1;
    ask(3, at, at, 2 * G1, G1, "both addresses are aligned to 1 GiB and that much is expected");
    ask(3, at, at + G1, M2, M2, "a page may not be larger than what is mapped");
    ask(3, at, at, G1 - 4096, M2,
        "the last 4 KiB are not to be mapped: a page of 1 GiB would give them away");
    ask(3, at + 4096, at + 4096, M2, 4096, "a page begins at a multiple of its size");
    ask(3, at, at + 4096, G1, 4096,
        "the physical address must be aligned as well: its low bits are not in the entry");
    ask(3, at + M2, at, G1, M2, "the guest's address must be aligned as well");
    ask(2, at, at, G1, M2, "this machine has no pages of 1 GiB (max_leaf_level)");
    ask(1, at, at, G1 / 64, 4096, "this table is to have small pages only (max_leaf_level)");

    page_table_destroy(&table);
    expect(page_table_create(&table, &page_format_ept, 4, 3, false) == STATUS_OK, "no table");
    expect(page_table_map(&table, at, at, 4096, PAGE_READ) == STATUS_OK,
           "4 KiB at %#llx were refused", (unsigned long long)at);
    expect(page_table_unmap(&table, at, 4096) == STATUS_OK, "page_table_unmap() refuses");
    size_t before = table.table_pages;
    asking("page_table_map() over tables that are there");
    expect(page_table_map(&table, at, at, G1, PAGE_READ) == STATUS_OK,
           "1 GiB at %#llx was refused where 4 KiB had been", (unsigned long long)at);
    struct ept_answer got = ept_walk(&table, at);
    expect(got.page_size == 4096 && table.table_pages >= before,
           "a page of %s over tables that are there: they would be lost, and hardware may still "
           "walk them; the walk says "
           "how far down tables go",
           name(got.page_size));
    page_table_destroy(&table);

    expect(page_table_create(&table, &page_format_ept, 4, 3, false) == STATUS_OK, "no table");
    expect(page_table_map(&table, at, at, 4096, PAGE_READ) == STATUS_OK &&
               page_table_map(&table, at + M2, at + M2, M2, PAGE_READ) == STATUS_OK &&
               page_table_map(&table, at + G1, at + G1, G1, PAGE_READ) == STATUS_OK,
           "what is beside 4 KiB at %#llx was refused", (unsigned long long)at);
    expect(ept_walk(&table, at + M2).page_size == M2 && ept_walk(&table, at + G1).page_size == G1,
           "2 MiB and 1 GiB beside 4 KiB are pages of %s and %s: a walk ends at an entry that is "
           "free, and its level may have a page",
           name(ept_walk(&table, at + M2).page_size), name(ept_walk(&table, at + G1).page_size));
    page_table_destroy(&table);
}
