/* SPDX-License-Identifier: MIT */
/* What frames.c and setup/frames.c share. */
#pragma once

#include "hypervisor/base/lock.h"
#include "hypervisor/memory/frames.h"

#define PHYSICAL_END BIT(52) /* no x86 processor addresses more (SDM 3A 4.1.4) */
#define LOW_MEMORY   MIB(1)

#define FRAME_MAX_RAM 512 /* BOOT_MAX_RANGES */

extern struct frame_table {
    /* Sorted, not overlapping, neighbours of one owner merged; what is missing is OWNER_NONE. */
    struct frame_range ranges[FRAME_MAX_RANGES];
    size_t range_count;
    /* Where the loader found RAM: only this can ever be free. Sorted, neighbours merged. */
    struct {
        uint64_t base, end;
    } ram[FRAME_MAX_RAM];
    size_t ram_count;
    struct lock lock;
} frame_table;

static inline uint64_t frame_range_end(const struct frame_range *range)
{
    return range->base + range->size;
}

static inline bool frames_range_valid(uint64_t base, uint64_t size)
{
    return size != 0 && IS_ALIGNED(base, PAGE_SIZE) && IS_ALIGNED(size, PAGE_SIZE) &&
           base < PHYSICAL_END && size <= PHYSICAL_END - base;
}

/* The caller holds the lock in all of these. */
/* Index of the first range that ends above `address`. */
size_t frames_find(uint64_t address);
/* Gives [base, end) to `owner`, whoever had it. Needs room for two more ranges: STATUS_FULL, and
 * nothing changed, without it. */
MUST_CHECK enum status frames_set_owner(uint64_t base, uint64_t end, owner_t owner);
bool frames_all_owned_by(uint64_t base, uint64_t end, owner_t owner);
/* frames_claim() in [from, limit). */
MUST_CHECK enum status frames_claim_between(owner_t owner, uint64_t size, uint64_t alignment,
                                            uint64_t from, uint64_t limit, uint64_t *base);
