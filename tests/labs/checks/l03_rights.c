/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/memory/page_table.c hypervisor/memory/formats.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
/* L3, step 3: what an entry permits. The audit and the walks read tables with it. */
#include "tests/labs/checks/ept_bench.h"

static void ask(uint64_t entry, unsigned level, unsigned wanted, const char *why)
{
    asking("ept_rights(%#llx, level %u)", (unsigned long long)entry, level);
    unsigned got = page_format_ept.rights(entry, level);
    expect(got == wanted, "entry %#llx of level %u: %#x instead of %#x; %s",
           (unsigned long long)entry, level, got, wanted, why);
}

void lab_check(void)
{
    const unsigned rwx = PAGE_READ | PAGE_WRITE | PAGE_EXECUTE;
    const uint64_t at = (uint64_t)seeded("frame", 1, 200, 7) << 30;
    ask(0, 1, 0, "nothing is there");
    ask(at | 0x30, 1, 0, "bits 2:0 are clear: the entry is not present, whatever else is set");
    ask(at | 0x37, 1, rwx, "read, write, execute, write-back");
    ask(at | 0xb7, 2, rwx, "the same for a page of 2 MiB");
    ask(at | 0x31, 1, PAGE_READ, "read alone");
    ask(at | 0x33, 1, PAGE_READ | PAGE_WRITE, "read and write");
    ask(at | 0x34, 1, PAGE_EXECUTE, "execute alone is present: the three bits decide together");
    ask(at | 0x03, 1, PAGE_READ | PAGE_WRITE | PAGE_DEVICE,
        "memory type 0 is uncacheable: a device's");
    ask(at | 0x83, 2, PAGE_READ | PAGE_WRITE | PAGE_DEVICE,
        "bit 7 makes it a page of 2 MiB, and a page has a memory type: 0 is a device's");
    ask(at | 0x0b, 1, PAGE_READ | PAGE_WRITE | PAGE_OTHER_TYPE,
        "memory type 1 is neither of the two that are ever mapped");
    ask(at | 0x07, 3, rwx,
        "an entry that points at a table has no memory type: bits 6:3 mean nothing there");
    ask(at | 0x07, 4, rwx, "a level-4 entry always points at a table");
}
