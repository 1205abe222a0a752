/* SPDX-License-Identifier: MIT */
/*
 * One radix page-table engine for the four tables that hardware walks: the host's own (SDM 3A 4.5),
 * EPT (SDM 3C 29.3), NPT (APM 2 15.25) and VT-d second level (VT-d 3.7, 9.8). They differ in entry
 * bits only, which a const struct page_table_format describes.
 */
#pragma once

#include "hypervisor/base/core.h"

enum page_rights {
    PAGE_READ = 1u << 0,
    PAGE_WRITE = 1u << 1,
    PAGE_EXECUTE = 1u << 2,
    PAGE_DEVICE = 1u << 3,     /* uncached; otherwise write-back */
    PAGE_SNOOPED = 1u << 4,    /* VT-d: caches are snooped whatever the request says */
    PAGE_COMBINED = 1u << 6,   /* host only: write-combining, for a framebuffer */
    PAGE_OTHER_TYPE = 1u << 5, /* read only: a memory type that is never mapped on purpose */
};

#define PAGE_TABLE_MAX_LEVELS 5

struct page_table_format {
    /* A leaf entry at `level` (1 = 4 KiB, 2 = 2 MiB, 3 = 1 GiB) for the physical address. */
    uint64_t (*leaf)(uint64_t physical, unsigned rights, unsigned level);
    /* An entry that points at a lower table. */
    uint64_t (*table)(uint64_t physical);
    /* Rights of a present entry and, of a leaf, its memory type as the hardware reads it (PAGE_*);
     * 0 exactly when the hardware would call it not present. */
    unsigned (*rights)(uint64_t entry, unsigned level);
};

/* The same in all of them: the bits of an entry that hold the physical address, and where there are
 * large pages the one that tells a leaf from a table. */
#define PAGE_ENTRY_ADDRESS BITS(51, 12)
#define PAGE_ENTRY_LARGE   BIT(7)
static inline bool page_entry_is_leaf(uint64_t entry, unsigned level)
{
    return level == 1 || (level <= 3 && (entry & PAGE_ENTRY_LARGE) != 0);
}

extern const struct page_table_format page_format_host;
extern const struct page_table_format page_format_ept;
extern const struct page_table_format page_format_npt;
extern const struct page_table_format page_format_vtd;

struct page_table {
    const struct page_table_format *format;
    uint64_t *root;
    unsigned levels;         /* 3, 4 or 5 */
    unsigned max_leaf_level; /* largest page: 1 = 4K, 2 = 2M, 3 = 1G */
    bool flush;              /* the walker does not snoop caches: flush every written entry */
    size_t table_pages;      /* pages the tables occupy, the root included */
};

/* Allocates the root. STATUS_NO_MEMORY; STATUS_INVALID for levels or leaf levels out of range. */
MUST_CHECK enum status page_table_create(struct page_table *table,
                                         const struct page_table_format *format, unsigned levels,
                                         unsigned max_leaf_level, bool flush);
/* Frees every table page. The tables must no longer be in use by any hardware. */
void page_table_destroy(struct page_table *table);

/* Maps [input, input + size) to [physical, ...) with the largest pages that alignment permits (and
 * tables that are already there: those are kept). Everything 4 KiB aligned; inputs are the bits the
 * walker uses, without sign extension. STATUS_BUSY, changing nothing, when any part is mapped
 * already; STATUS_INVALID when out of the input range, misaligned or without PAGE_READ;
 * STATUS_NO_MEMORY may leave a part mapped (the caller unmaps the whole range). */
MUST_CHECK enum status page_table_map(struct page_table *table, uint64_t input, uint64_t physical,
                                      uint64_t size, unsigned rights);
/* Unmaps what is mapped in the range; splits a larger page where the range cuts it
 * (STATUS_NO_MEMORY possible only then). Empty tables are kept until destroy: the caller's
 * invalidation decides when hardware has let go of them. */
MUST_CHECK enum status page_table_unmap(struct page_table *table, uint64_t input, uint64_t size);

/* Lets code run in the 2 MiB around `input`, in pages of 4 KiB: a larger page there is replaced by
 * smaller ones, of which no other gains a right. The hardware sees the old entry or the new one;
 * the caller discards what it cached. STATUS_NOT_FOUND when nothing is mapped at `input`,
 * STATUS_NO_MEMORY. */
MUST_CHECK enum status page_table_allow_execute(struct page_table *table, uint64_t input);

/* One step per level, from the root down, for `walk`, the audit and software translation. */
struct page_walk {
    unsigned steps;
    struct page_walk_step {
        unsigned level;
        uint64_t entry_address; /* physical address of the entry */
        uint64_t entry;
    } step[PAGE_TABLE_MAX_LEVELS];
    bool present;
    uint64_t physical;  /* valid when present */
    uint64_t page_size; /* bytes that the last entry looked at covers: of the leaf when present */
    unsigned rights;    /* intersection along the path, and the leaf's memory type */
};
void page_table_walk(const struct page_table *table, uint64_t input, struct page_walk *walk);

/* The first leaf that ends above `*input`: sets *input to its start and fills walk; false past the
 * last one. Iterate with `input += walk.page_size`. Bounded by the table itself. An entry that
 * points at a table outside the hypervisor's pages is reported like a leaf, so that it cannot hide:
 * present is false then and physical is where it points. */
bool page_table_next(const struct page_table *table, uint64_t *input, struct page_walk *walk);
