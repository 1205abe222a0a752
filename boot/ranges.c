/* SPDX-License-Identifier: MIT */
#include "boot/ranges.h"

static void remove_at(struct range_list *list, uint32_t index)
{
    for (uint32_t i = index + 1; i < list->count; i++)
        list->ranges[i - 1] = list->ranges[i];
    list->count--;
}

static bool insert_at(struct range_list *list, uint32_t index, uint64_t base, uint64_t end,
                      uint32_t type)
{
    if (list->count == list->capacity) {
        list->full = true;
        return false;
    }
    for (uint32_t i = list->count; i > index; i--)
        list->ranges[i] = list->ranges[i - 1];
    list->ranges[index] =
        (struct boot_memory_range){.base = base, .size = end - base, .type = type};
    list->count++;
    return true;
}

static uint64_t end_of(const struct boot_memory_range *range)
{
    return range->base + range->size;
}

/* Removes [base, end) from whatever holds it. */
static void carve(struct range_list *list, uint64_t base, uint64_t end)
{
    for (uint32_t i = 0; i < list->count;) {
        struct boot_memory_range *range = &list->ranges[i];
        uint64_t range_end = end_of(range);
        if (range_end <= base || range->base >= end) {
            i++;
        } else if (range->base < base) {
            range->size = base - range->base;
            /* The part behind the hole, if any; without an entry for it, it is lost. */
            if (range_end > end && insert_at(list, i + 1, end, range_end, range->type))
                i++;
            i++;
        } else if (range_end > end) {
            range->base = end;
            range->size = range_end - end;
            i++;
        } else {
            remove_at(list, i);
        }
    }
}

static void merge_around(struct range_list *list, uint32_t index)
{
    uint32_t first = index > 0 ? index - 1 : 0;
    for (uint32_t i = first; i + 1 < list->count && i <= index + 1;) {
        struct boot_memory_range *range = &list->ranges[i];
        const struct boot_memory_range *next = range + 1;
        if (range->type == next->type && end_of(range) == next->base) {
            range->size += next->size;
            remove_at(list, i + 1);
        } else {
            i++;
        }
    }
}

void ranges_set(struct range_list *list, uint64_t base, uint64_t size, enum boot_memory_type type)
{
    /* The last page of the address space is beyond every CPU; leaving it out avoids wrapping. */
    uint64_t top = ALIGN_DOWN(UINT64_MAX, PAGE_SIZE);
    uint64_t end = size > top || base > top - size ? top : base + size;
    if (size == 0 || base >= end)
        return;
    if (type == BOOT_MEMORY_USABLE || type == BOOT_MEMORY_SPECIAL) {
        base = ALIGN_UP(base, PAGE_SIZE);
        end = ALIGN_DOWN(end, PAGE_SIZE);
    } else {
        base = ALIGN_DOWN(base, PAGE_SIZE);
        end = ALIGN_UP(end, PAGE_SIZE);
    }
    if (base >= end)
        return;

    carve(list, base, end);
    uint32_t index = 0;
    while (index < list->count && list->ranges[index].base < base)
        index++;
    /* Extending a neighbour needs no entry, so it works even in a full list. */
    if (index > 0 && list->ranges[index - 1].type == (uint32_t)type &&
        end_of(&list->ranges[index - 1]) == base) {
        list->ranges[--index].size += end - base;
    } else if (index < list->count && list->ranges[index].type == (uint32_t)type &&
               list->ranges[index].base == end) {
        list->ranges[index].base = base;
        list->ranges[index].size += end - base;
    } else if (!insert_at(list, index, base, end, type)) {
        return;
    }
    merge_around(list, index);
}

uint64_t ranges_take(struct range_list *list, uint64_t size, uint64_t alignment, uint64_t limit)
{
    for (uint32_t i = list->count; i-- > 0;) {
        const struct boot_memory_range *range = &list->ranges[i];
        uint64_t past = end_of(range), end = MIN(past, limit);
        if (range->type != BOOT_MEMORY_USABLE || end <= range->base || end - range->base < size)
            continue;
        uint64_t base = ALIGN_DOWN(end - size, alignment);
        if (base < range->base || base == 0)
            continue;
        ranges_set(list, base, size, BOOT_MEMORY_LOADER);
        return list->full ? 0 : base;
    }
    return 0;
}
