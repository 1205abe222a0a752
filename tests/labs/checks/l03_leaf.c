/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/memory/page_table.c hypervisor/memory/formats.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
/* L3, step 1: the entry that maps a page. */
#include "tests/labs/checks/ept_bench.h"

static void ask(unsigned rights, unsigned level)
{
    const uint64_t physical = (uint64_t)seeded("frame", 1, 200, 7) << 30;
    asking("ept_leaf(%#llx, rights %#x, level %u)", (unsigned long long)physical, rights, level);
    uint64_t got = page_format_ept.leaf(physical, rights, level);
    char name[80];
    snprintf(name, sizeof name, "a %s page, %s%s%s%s",
             level == 1   ? "4 KiB"
             : level == 2 ? "2 MiB"
                          : "1 GiB",
             (rights & PAGE_READ) != 0 ? "r" : "", (rights & PAGE_WRITE) != 0 ? "w" : "",
             (rights & PAGE_EXECUTE) != 0 ? "x" : "",
             (rights & PAGE_DEVICE) != 0 ? ", a device's" : "");
    expect((got & 0xffffffffff000) == physical,
           "%s: bits 51:12 are %#llx instead of the physical address %#llx", name,
           (unsigned long long)(got & 0xffffffffff000), (unsigned long long)physical);
    expect((got & 1) == ((rights & PAGE_READ) != 0), "%s: bit 0 (read) is %u", name,
           (unsigned)(got & 1));
    expect((got >> 1 & 1) == ((rights & PAGE_WRITE) != 0), "%s: bit 1 (write) is %u", name,
           (unsigned)(got >> 1 & 1));
    expect((got >> 2 & 1) == ((rights & PAGE_EXECUTE) != 0),
           "%s: bit 2 (execute) is %u; without it a fetch is an EPT violation, and a guest's first "
           "instruction is one, "
           "again and again",
           name, (unsigned)(got >> 2 & 1));
    expect((got >> 7 & 1) == (level > 1),
           "%s: bit 7 is %u; it tells a page from a table at level 2 and 3, and is not needed at "
           "level 1",
           name, (unsigned)(got >> 7 & 1));
    unsigned type = got >> 3 & 7, wanted = (rights & PAGE_DEVICE) != 0 ? 0 : 6;
    expect(type == wanted,
           "%s: memory type %u in bits 5:3; write-back is 6, uncacheable 0 (SDM 3C 29.3.7)", name,
           type);
    expect((got >> 6 & 1) == 0,
           "%s: bit 6 (ignore PAT) is set: the guest's own PAT would count for nothing", name);
    expect((got & 0xfff0000000000f00) == 0,
           "%s: bits that are reserved or unused here are set: %#llx", name,
           (unsigned long long)(got & 0xfff0000000000f00));
}

void lab_check(void)
{
    static const unsigned rights[] = {PAGE_READ | PAGE_WRITE | PAGE_EXECUTE,
                                      PAGE_READ | PAGE_WRITE,
                                      PAGE_READ,
                                      PAGE_READ | PAGE_EXECUTE,
                                      PAGE_EXECUTE,
                                      PAGE_READ | PAGE_WRITE | PAGE_DEVICE};
    for (size_t i = 0; i < ARRAY_SIZE(rights); i++)
        for (unsigned level = 1; level <= 3; level++)
            ask(rights[i], level);
}
