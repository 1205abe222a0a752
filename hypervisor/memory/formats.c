/* SPDX-License-Identifier: MIT */
#include "hypervisor/memory/page_table.h"

/* --- the processor's own format, for the host's tables (SDM 3A 4.5) --- */
#define CPU_PRESENT    BIT(0)
#define CPU_WRITE      BIT(1)
#define CPU_UNCACHED   (BIT(3) | BIT(4)) /* PWT and PCD: entry 3 of the PAT, UC after reset */
#define CPU_COMBINED   BIT(3)            /* PWT: entry 1, WC by setup/cpu.c */
#define CPU_PAT_SMALL  BIT(7)            /* the third bit of the index into the PAT */
#define CPU_PAT_LARGE  BIT(12)
#define CPU_ACCESSED   BIT(5)
#define CPU_DIRTY      BIT(6)
#define CPU_NO_EXECUTE BIT(63)

/* Accessed and dirty are set from the start: nobody reads them, and the processor need not write.
 */
static uint64_t cpu_leaf(uint64_t physical, unsigned rights, unsigned level)
{
    return physical | CPU_PRESENT | CPU_ACCESSED | CPU_DIRTY |
           ((rights & PAGE_WRITE) != 0 ? CPU_WRITE : 0) |
           ((rights & PAGE_EXECUTE) != 0 ? 0 : CPU_NO_EXECUTE) |
           ((rights & PAGE_DEVICE) != 0 ? CPU_UNCACHED : 0) |
           ((rights & PAGE_COMBINED) != 0 ? CPU_COMBINED : 0) | (level > 1 ? PAGE_ENTRY_LARGE : 0);
}

static uint64_t cpu_table(uint64_t physical)
{
    return physical | CPU_PRESENT | CPU_WRITE | CPU_ACCESSED;
}

/* Entries 0, 1 and 3 of the PAT are the ones that mean what this program takes them to mean. */
static unsigned cpu_type(uint64_t entry, unsigned level)
{
    uint64_t type = entry & (CPU_UNCACHED | (level == 1 ? CPU_PAT_SMALL : CPU_PAT_LARGE));
    return type == CPU_UNCACHED   ? PAGE_DEVICE
           : type == CPU_COMBINED ? PAGE_COMBINED
           : type == 0            ? 0
                                  : PAGE_OTHER_TYPE;
}

static unsigned cpu_rights(uint64_t entry, unsigned level)
{
    if ((entry & CPU_PRESENT) == 0)
        return 0;
    return PAGE_READ | ((entry & CPU_WRITE) != 0 ? PAGE_WRITE : 0u) |
           ((entry & CPU_NO_EXECUTE) == 0 ? PAGE_EXECUTE : 0u) |
           (page_entry_is_leaf(entry, level) ? cpu_type(entry, level) : 0u);
}

/* No global pages: a core's only change of address space is the reload of CR3 that flushes its
 * window, and that has to reach every entry. */
const struct page_table_format page_format_host = {
    .leaf = cpu_leaf,
    .table = cpu_table,
    .rights = cpu_rights,
};

/* --- VT-d second level (VT-d 9.8). SNP and TM (62) are reserved on units that lack the capability,
 * and there is no execute right: a device only reads and writes. --- */
#define VTD_READ  BIT(0)
#define VTD_WRITE BIT(1)
#define VTD_SNOOP BIT(11)

static uint64_t vtd_leaf(uint64_t physical, unsigned rights, unsigned level)
{
    return physical | ((rights & PAGE_READ) != 0 ? VTD_READ : 0) |
           ((rights & PAGE_WRITE) != 0 ? VTD_WRITE : 0) |
           ((rights & PAGE_SNOOPED) != 0 ? VTD_SNOOP : 0) | (level > 1 ? PAGE_ENTRY_LARGE : 0);
}

static uint64_t vtd_table(uint64_t physical)
{
    return physical | VTD_READ | VTD_WRITE;
}

static unsigned vtd_rights(uint64_t entry, unsigned level)
{
    if ((entry & (VTD_READ | VTD_WRITE)) == 0)
        return 0;
    return ((entry & VTD_READ) != 0 ? PAGE_READ : 0u) |
           ((entry & VTD_WRITE) != 0 ? PAGE_WRITE : 0u) |
           (page_entry_is_leaf(entry, level) && (entry & VTD_SNOOP) != 0 ? PAGE_SNOOPED : 0u);
}

const struct page_table_format page_format_vtd = {
    .leaf = vtd_leaf,
    .table = vtd_table,
    .rights = vtd_rights,
};
