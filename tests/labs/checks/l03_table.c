/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/memory/page_table.c hypervisor/memory/formats.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
/* L3, step 2: the entry that points at a lower table. */
#include "tests/labs/checks/ept_bench.h"

void lab_check(void)
{
    const uint64_t physical = (uint64_t)seeded("table", 1, 0xfffff, 0x1fc5c) << 12;
    asking("ept_table(%#llx)", (unsigned long long)physical);
    uint64_t got = page_format_ept.table(physical);
    expect((got & 0xffffffffff000) == physical,
           "bits 51:12 are %#llx instead of the table's address %#llx",
           (unsigned long long)(got & 0xffffffffff000), (unsigned long long)physical);
    expect((got & 7) == 7,
           "bits 2:0 are %u: rights are those of all entries on the way together, so a table takes "
           "away nothing that its "
           "pages have; 7 is expected",
           (unsigned)(got & 7));
    expect(
        (got >> 7 & 1) == 0,
        "bit 7 is set: at level 2 and 3 that is a page, and the table would be a guest's memory");
    const char *why = misconfigured(got, 4);
    expect(why == NULL, "EPT misconfiguration in the entry %#llx of level 4: %s",
           (unsigned long long)got, why);
    expect((got & 0xfff0000000000f78) == 0, "bits that are reserved or unused here are set: %#llx",
           (unsigned long long)(got & 0xfff0000000000f78));
}
