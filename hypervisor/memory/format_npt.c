/* SPDX-License-Identifier: MIT */
/* NPT has the processor's own format (APM 2 15.25). */
#include "hypervisor/memory/page_table.h"

#define USER BIT(2)

/* Nested walks are user accesses (APM 2 15.25.5): without U at every level they fault. */
static uint64_t npt_leaf(uint64_t physical, unsigned rights, unsigned level)
{
    return page_format_host.leaf(physical, rights, level) | USER;
}

static uint64_t npt_table(uint64_t physical)
{
    return page_format_host.table(physical) | USER;
}

static unsigned npt_rights(uint64_t entry, unsigned level)
{
    return (entry & USER) != 0 ? page_format_host.rights(entry, level) : 0;
}

const struct page_table_format page_format_npt = {
    .leaf = npt_leaf,
    .table = npt_table,
    .rights = npt_rights,
};
