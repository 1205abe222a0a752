/* SPDX-License-Identifier: MIT */
/* What address_space.c and setup/address_space.c share. */
#pragma once

#include "hypervisor/base/lock.h"
#include "hypervisor/base/this_core.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/page_table.h"

#define LEVELS      4u
#define LARGE_LEAF  2u              /* 2 MiB: every 64-bit processor has them */
#define REGION_SIZE (512 * PAGE_1G) /* one top-level entry */

extern struct address_space {
    /* The boot core's tables. Every other root repeats its top-level entries but the window's, and
     * these entries exist before the first other root does: what is mapped later appears on all
     * cores. */
    struct page_table shared;
    struct lock lock;
    /* One past the last physical address: a page-table entry with a higher one faults (SDM 3A
     * 4.1.4), and addresses in firmware's tables may be anything. */
    uint64_t physical_end;
    uint64_t next_device, next_stack; /* addresses that were never used */
    uint64_t trampoline;              /* its page, while it is mapped */
    unsigned window_leaf;             /* level of the largest page for windows */
    struct core_space {
        uint64_t cr3;
        uint64_t *top; /* the 4-level root */
        struct page_table window;
    } cores[CPU_MAX];
} address_space;

/* The bits that the walker uses. */
static inline uint64_t input_of(uint64_t address)
{
    return address & BITS(47, 0);
}

static inline unsigned top_index(uint64_t address)
{
    return (unsigned)FIELD(address, 47, 39);
}

/* The caller holds the lock for the first; the second one takes it. */
MUST_CHECK enum status address_space_map(uint64_t address, uint64_t physical, uint64_t size,
                                         unsigned rights);
/* At an address that was never used; 0, logged, when it cannot be mapped. */
MUST_CHECK uintptr_t address_space_map_on_demand(uint64_t physical, uint64_t size, unsigned rights);
void address_space_unmap(uint64_t address, uint64_t size);
