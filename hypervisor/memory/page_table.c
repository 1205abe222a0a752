/* SPDX-License-Identifier: MIT */
#include "hypervisor/memory/page_table.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/pages.h"

/* Bits of an address that one level resolves: 9 in all formats. The proofs build a narrow table. */
#ifndef PAGE_TABLE_BITS
#define PAGE_TABLE_BITS 9
#endif
#define ENTRIES      (1u << PAGE_TABLE_BITS)
#define ACCESS       (PAGE_READ | PAGE_WRITE | PAGE_EXECUTE)
#define LARGEST_LEAF 3u

/* Bytes that one entry at `level` covers. */
static uint64_t level_size(unsigned level)
{
    return BIT(PAGE_SHIFT + PAGE_TABLE_BITS * (level - 1));
}

static unsigned level_index(uint64_t input, unsigned level)
{
    return (unsigned)(input >> (PAGE_SHIFT + PAGE_TABLE_BITS * (level - 1))) % ENTRIES;
}

static uint64_t input_end(const struct page_table *table)
{
    return level_size(table->levels + 1);
}

/* The hardware may walk at any time: it sees the old entry or the new one, and what was written
 * before an entry is visible before it. */
static void write_entry(const struct page_table *table, uint64_t *entry, uint64_t value)
{
    __atomic_store_n(entry, value, __ATOMIC_RELEASE);
    if (table->flush)
        cache_flush_range(entry, sizeof *entry);
}

static uint64_t *new_table(struct page_table *table)
{
    uint64_t *page = pages_allocate(1);
    if (page == NULL)
        return NULL;
    table->table_pages++;
    return page;
}

/* Makes `slot` point at a table whose entries are complete. */
static void link_table(const struct page_table *table, uint64_t *slot, uint64_t *lower)
{
    if (table->flush)
        cache_flush_range(lower, PAGE_SIZE);
    write_entry(table, slot, table->format->table(physical_address(lower)));
}

static uint64_t *lower_table(uint64_t entry)
{
    return virtual_address(entry & PAGE_ENTRY_ADDRESS);
}

enum status page_table_create(struct page_table *table, const struct page_table_format *format,
                              unsigned levels, unsigned max_leaf_level, bool flush)
{
    *table = (struct page_table){
        .format = format, .levels = levels, .max_leaf_level = max_leaf_level, .flush = flush};
    if (levels < 3 || levels > PAGE_TABLE_MAX_LEVELS || max_leaf_level < 1 ||
        max_leaf_level > LARGEST_LEAF)
        return STATUS_INVALID;
    table->root = new_table(table);
    if (table->root == NULL)
        return STATUS_NO_MEMORY;
    if (flush)
        cache_flush_range(table->root, PAGE_SIZE);
    return STATUS_OK;
}

void page_table_destroy(struct page_table *table)
{
    if (table->root == NULL)
        return;
    struct {
        uint64_t *page;
        unsigned next;
    } path[PAGE_TABLE_MAX_LEVELS + 1];
    unsigned level = table->levels;
    path[level].page = table->root;
    path[level].next = 0;
    while (level <= table->levels) {
        uint64_t *page = path[level].page;
        if (level == 1 || path[level].next == ENTRIES) {
            pages_free(page, 1);
            level++;
            continue;
        }
        uint64_t entry = page[path[level].next++];
        if (table->format->rights(entry, level) == 0 || page_entry_is_leaf(entry, level))
            continue;
        uint64_t *lower = lower_table(entry);
        if (lower == NULL)
            continue;
        level--;
        path[level].page = lower;
        path[level].next = 0;
    }
    table->root = NULL;
    table->table_pages = 0;
}

/* page_table_walk(); the entry that the walk ended at, NULL beyond the table's end. */
static const uint64_t *walk_to(const struct page_table *table, uint64_t input,
                               struct page_walk *walk)
{
    const struct page_table_format *format = table->format;
    *walk = (struct page_walk){0};
    if (input >= input_end(table))
        return NULL;
    const uint64_t *page = table->root, *slot = NULL;
    unsigned path_rights = ACCESS;
    for (unsigned level = table->levels; level >= 1; level--) {
        slot = &page[level_index(input, level)];
        uint64_t entry = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
        walk->step[walk->steps++] = (struct page_walk_step){level, physical_address(slot), entry};
        walk->page_size = level_size(level);
        unsigned rights = format->rights(entry, level);
        if (rights == 0)
            return slot;
        bool leaf = page_entry_is_leaf(entry, level);
        uint64_t *lower = leaf ? NULL : lower_table(entry);
        walk->rights = rights & (path_rights | ~(unsigned)ACCESS);
        path_rights &= rights;
        if (leaf) {
            /* Bits below the page size are flags or zero: a large entry may hold PAT there. */
            walk->physical =
                ALIGN_DOWN(entry & PAGE_ENTRY_ADDRESS, walk->page_size) + input % walk->page_size;
            walk->present = true;
            return slot;
        }
        if (lower == NULL) {
            walk->physical = entry & PAGE_ENTRY_ADDRESS;
            return slot;
        }
        page = lower;
    }
    return slot;
}

void page_table_walk(const struct page_table *table, uint64_t input, struct page_walk *walk)
{
    (void)walk_to(table, input, walk);
}

/* page_table_next(), looking no further than `end`. */
static bool next_below(const struct page_table *table, uint64_t *input, uint64_t end,
                       struct page_walk *walk)
{
    uint64_t at = *input;
    while (at < end) {
        const uint64_t *slot = walk_to(table, at, walk);
        at = ALIGN_DOWN(at, walk->page_size);
        const struct page_walk_step *last = &walk->step[walk->steps - 1];
        if (table->format->rights(last->entry, last->level) != 0) {
            walk->physical = ALIGN_DOWN(walk->physical, walk->present ? walk->page_size : 1);
            *input = at;
            return true;
        }
        /* Most entries of most tables are empty: no walk from the root for each of them. */
        unsigned index = level_index(at, last->level);
        do {
            at += walk->page_size;
            index++;
            slot++;
        } while (index < ENTRIES && at < end &&
                 table->format->rights(__atomic_load_n(slot, __ATOMIC_ACQUIRE), last->level) == 0);
    }
    return false;
}

bool page_table_next(const struct page_table *table, uint64_t *input, struct page_walk *walk)
{
    return next_below(table, input, input_end(table), walk);
}

static bool range_valid(const struct page_table *table, uint64_t input, uint64_t size)
{
    return IS_ALIGNED(input, PAGE_SIZE) && IS_ALIGNED(size, PAGE_SIZE) &&
           input <= input_end(table) && size <= input_end(table) - input;
}

/* The table whose entries are of `level` on the way to `input`, made if it is not there yet. A leaf
 * or an unreadable table in the way gives NULL with STATUS_BUSY. */
static uint64_t *descend(struct page_table *table, uint64_t input, unsigned level,
                         enum status *status)
{
    const struct page_table_format *format = table->format;
    uint64_t *page = table->root;
    for (unsigned at = table->levels; at > level; at--) {
        uint64_t *slot = &page[level_index(input, at)];
        uint64_t *lower;
        if (format->rights(*slot, at) == 0) {
            lower = new_table(table);
            *status = STATUS_NO_MEMORY;
            if (lower != NULL)
                link_table(table, slot, lower);
        } else {
            lower = page_entry_is_leaf(*slot, at) ? NULL : lower_table(*slot);
            *status = STATUS_BUSY;
        }
        if (lower == NULL)
            return NULL;
        page = lower;
    }
    *status = STATUS_OK;
    return page;
}

/* The largest page for the first byte of the range. A table that is already there is kept. */
static unsigned leaf_level(const struct page_table *table, uint64_t input, uint64_t physical,
                           uint64_t size)
{
    struct page_walk walk;
    page_table_walk(table, input, &walk);
    unsigned level = MIN(walk.step[walk.steps - 1].level, table->max_leaf_level);
    while (level > 1 &&
           (!IS_ALIGNED(input | physical, level_size(level)) || size < level_size(level)))
        level--;
    return level;
}

enum status page_table_map(struct page_table *table, uint64_t input, uint64_t physical,
                           uint64_t size, unsigned rights)
{
    if (!range_valid(table, input, size) || !IS_ALIGNED(physical, PAGE_SIZE) ||
        physical > BIT(52) || size > BIT(52) - physical || (rights & PAGE_READ) == 0)
        return STATUS_INVALID;
    struct page_walk walk;
    uint64_t mapped = input;
    if (size != 0 && next_below(table, &mapped, input + size, &walk))
        return STATUS_BUSY;

    while (size != 0) {
        unsigned level = leaf_level(table, input, physical, size);
        uint64_t step = level_size(level);
        enum status status;
        uint64_t *page = descend(table, input, level, &status);
        if (page == NULL)
            return status;
        /* The rest of this table, as long as pages of this size fit and no larger one would. */
        unsigned index = level_index(input, level);
        do {
            write_entry(table, &page[index], table->format->leaf(physical, rights, level));
            input += step;
            physical += step;
            size -= step;
            index++;
        } while (index < ENTRIES && size >= step && table->format->rights(page[index], level) == 0);
    }
    return STATUS_OK;
}

/* Replaces the leaf that the walk found by a table with the same translation and `more` rights. */
static enum status divide(struct page_table *table, const struct page_walk *walk, unsigned more)
{
    const struct page_table_format *format = table->format;
    const struct page_walk_step *last = &walk->step[walk->steps - 1];
    uint64_t *lower = new_table(table);
    if (lower == NULL)
        return STATUS_NO_MEMORY;
    uint64_t physical = ALIGN_DOWN(walk->physical, walk->page_size);
    unsigned level = last->level - 1, rights = format->rights(last->entry, last->level) | more;
    for (unsigned i = 0; i < ENTRIES; i++)
        lower[i] = format->leaf(physical + i * level_size(level), rights, level);
    link_table(table, virtual_address(last->entry_address), lower);
    return STATUS_OK;
}

/* Divides leaves that contain `boundary` until it lies between two entries. */
static enum status split_at(struct page_table *table, uint64_t boundary)
{
    struct page_walk walk;
    page_table_walk(table, boundary, &walk);
    while (walk.present && !IS_ALIGNED(boundary, walk.page_size)) {
        enum status status = divide(table, &walk, 0);
        if (status != STATUS_OK)
            return status;
        page_table_walk(table, boundary, &walk);
    }
    return STATUS_OK;
}

/* At both ends of a range. */
static enum status split_around(struct page_table *table, uint64_t input, uint64_t size)
{
    enum status status = split_at(table, input);
    return status == STATUS_OK ? split_at(table, input + size) : status;
}

enum status page_table_unmap(struct page_table *table, uint64_t input, uint64_t size)
{
    if (!range_valid(table, input, size))
        return STATUS_INVALID;
    uint64_t end = input + size;
    enum status status = split_around(table, input, size);
    if (status != STATUS_OK)
        return status;
    struct page_walk walk;
    for (uint64_t at = input; at < end && next_below(table, &at, end, &walk); at += walk.page_size)
        write_entry(table, virtual_address(walk.step[walk.steps - 1].entry_address), 0);
    return STATUS_OK;
}

enum status page_table_allow_execute(struct page_table *table, uint64_t input)
{
    const struct page_table_format *format = table->format;
    const uint64_t size = level_size(2);
    uint64_t region = ALIGN_DOWN(input, size);
    if (!range_valid(table, region, size))
        return STATUS_INVALID;
    enum status status = split_around(table, region, size);
    if (status != STATUS_OK)
        return status;
    struct page_walk walk;
    page_table_walk(table, input, &walk);
    if (!walk.present)
        return STATUS_NOT_FOUND;
    if (walk.page_size > PAGE_SIZE)
        return divide(table, &walk, PAGE_EXECUTE);
    for (uint64_t at = region; next_below(table, &at, region + size, &walk) && walk.present;
         at += walk.page_size) {
        const struct page_walk_step *last = &walk.step[walk.steps - 1];
        write_entry(table, virtual_address(last->entry_address),
                    format->leaf(walk.physical,
                                 format->rights(last->entry, last->level) | PAGE_EXECUTE, 1));
    }
    return STATUS_OK;
}
