/* SPDX-License-Identifier: MIT */
/* EPT (SDM 3C 29.3.2). */
#include "hypervisor/memory/page_table.h"

#define EPT_READ        BIT(0)
#define EPT_WRITE       BIT(1)
#define EPT_EXECUTE     BIT(2)
#define EPT_MEMORY_TYPE 3          /* shift of the type in a leaf */
#define EPT_TYPE        BITS(6, 3) /* with bit 6, IPAT, which stays 0 */
#define EPT_UNCACHEABLE UINT64_C(0)
#define EPT_WRITE_BACK  UINT64_C(6)

static uint64_t ept_leaf(uint64_t physical, unsigned rights, unsigned level)
{
    uint64_t type = (rights & PAGE_DEVICE) != 0 ? EPT_UNCACHEABLE : EPT_WRITE_BACK;
    return physical | type << EPT_MEMORY_TYPE | ((rights & PAGE_READ) != 0 ? EPT_READ : 0) |
           ((rights & PAGE_WRITE) != 0 ? EPT_WRITE : 0) |
           ((rights & PAGE_EXECUTE) != 0 ? EPT_EXECUTE : 0) | (level > 1 ? PAGE_ENTRY_LARGE : 0);
}

static uint64_t ept_table(uint64_t physical)
{
    return physical | EPT_READ | EPT_WRITE | EPT_EXECUTE;
}

static unsigned ept_type(uint64_t entry)
{
    uint64_t type = (entry & EPT_TYPE) >> EPT_MEMORY_TYPE;
    return type == EPT_UNCACHEABLE ? PAGE_DEVICE : type == EPT_WRITE_BACK ? 0 : PAGE_OTHER_TYPE;
}

static unsigned ept_rights(uint64_t entry, unsigned level)
{
    if ((entry & (EPT_READ | EPT_WRITE | EPT_EXECUTE)) == 0)
        return 0;
    return ((entry & EPT_READ) != 0 ? PAGE_READ : 0u) |
           ((entry & EPT_WRITE) != 0 ? PAGE_WRITE : 0u) |
           ((entry & EPT_EXECUTE) != 0 ? PAGE_EXECUTE : 0u) |
           (page_entry_is_leaf(entry, level) ? ept_type(entry) : 0u);
}

const struct page_table_format page_format_ept = {
    .leaf = ept_leaf,
    .table = ept_table,
    .rights = ept_rights,
};
