/* SPDX-License-Identifier: MIT */
/*
 * A memory map under construction: always sorted, never overlapping, neighbours of one type merged.
 * Used by both loaders, and by host tests.
 */
#pragma once

#include "boot/boot_info.h"

struct range_list {
    struct boot_memory_range *ranges;
    uint32_t capacity; /* entries */
    uint32_t count;
    bool full; /* something did not fit and was left out: it counts as reserved */
};

/* Gives [base, base + size) the type, whatever parts of it were before. Usable and special memory
 * shrinks to whole pages, every other type grows to whole pages. Empty and wrapping ranges change
 * nothing. When the list has no entry left, memory is lost rather than handed out twice (`full`).
 */
void ranges_set(struct range_list *list, uint64_t base, uint64_t size, enum boot_memory_type type);

/* Takes `size` bytes (whole pages) out of usable memory as BOOT_MEMORY_LOADER: the highest place
 * below `limit` whose start has the alignment. 0 when there is none. */
MUST_CHECK uint64_t ranges_take(struct range_list *list, uint64_t size, uint64_t alignment,
                                uint64_t limit);
