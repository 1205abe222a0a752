/* SPDX-License-Identifier: MIT */
#include "hypervisor/memory/frames_internal.h"

struct frame_table frame_table;

size_t frames_find(uint64_t address)
{
    size_t low = 0, high = frame_table.range_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (frame_range_end(&frame_table.ranges[middle]) <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void remove_at(size_t index, size_t count)
{
    for (size_t i = index; i + count < frame_table.range_count; i++)
        frame_table.ranges[i] = frame_table.ranges[i + count];
    frame_table.range_count -= count;
}

static void insert_at(size_t index, struct frame_range range)
{
    for (size_t i = frame_table.range_count; i > index; i--)
        frame_table.ranges[i] = frame_table.ranges[i - 1];
    frame_table.ranges[index] = range;
    frame_table.range_count++;
}

/* Makes a range one with its right neighbour if they touch and have one owner. */
static void join(size_t index)
{
    struct frame_range *left = &frame_table.ranges[index], *right = left + 1;
    if (index + 1 >= frame_table.range_count || left->owner != right->owner ||
        frame_range_end(left) != right->base)
        return;
    left->size += right->size;
    remove_at(index + 1, 1);
}

enum status frames_set_owner(uint64_t base, uint64_t end, owner_t owner)
{
    if (frame_table.range_count + 2 > FRAME_MAX_RANGES)
        return STATUS_FULL;
    size_t first = frames_find(base);
    /* Cut what straddles either border. */
    if (first < frame_table.range_count && frame_table.ranges[first].base < base) {
        struct frame_range left = frame_table.ranges[first];
        frame_table.ranges[first].size = frame_range_end(&left) - base;
        frame_table.ranges[first].base = base;
        left.size = base - left.base;
        insert_at(first, left);
        first++;
    }
    size_t past = first;
    while (past < frame_table.range_count && frame_range_end(&frame_table.ranges[past]) <= end)
        past++;
    if (past < frame_table.range_count && frame_table.ranges[past].base < end) {
        frame_table.ranges[past].size = frame_range_end(&frame_table.ranges[past]) - end;
        frame_table.ranges[past].base = end;
    }
    remove_at(first, past - first);
    if (owner == OWNER_NONE)
        return STATUS_OK;
    insert_at(first, (struct frame_range){base, end - base, owner});
    join(first);
    if (first > 0)
        join(first - 1);
    return STATUS_OK;
}

bool frames_all_owned_by(uint64_t base, uint64_t end, owner_t owner)
{
    size_t index = frames_find(base);
    if (owner == OWNER_NONE)
        return index == frame_table.range_count || frame_table.ranges[index].base >= end;
    for (uint64_t at = base; at < end; at = frame_range_end(&frame_table.ranges[index]), index++)
        if (index == frame_table.range_count || frame_table.ranges[index].base > at ||
            frame_table.ranges[index].owner != owner)
            return false;
    return true;
}

static bool all_ram(uint64_t base, uint64_t end)
{
    for (size_t i = 0; i < frame_table.ram_count; i++)
        if (base >= frame_table.ram[i].base && end <= frame_table.ram[i].end)
            return true;
    return false;
}

/* --- claiming and giving back --- */

enum status frames_claim_between(owner_t owner, uint64_t size, uint64_t alignment, uint64_t from,
                                 uint64_t limit, uint64_t *base)
{
    for (size_t i = frame_table.range_count; i-- > 0;) {
        const struct frame_range *range = &frame_table.ranges[i];
        if (range->owner != OWNER_NOBODY)
            continue;
        uint64_t low = MAX(range->base, from);
        uint64_t high = frame_range_end(range);
        high = MIN(high, limit);
        if (high < low || high - low < size)
            continue;
        uint64_t found = ALIGN_DOWN(high - size, alignment);
        if (found < low)
            continue;
        enum status status = frames_set_owner(found, found + size, owner);
        if (status == STATUS_OK)
            *base = found;
        return status;
    }
    return STATUS_NO_MEMORY;
}

enum status frames_claim(owner_t owner, uint64_t size, uint64_t alignment, uint64_t limit,
                         uint64_t *base)
{
    if (size == 0 || size > PHYSICAL_END || !IS_ALIGNED(size, PAGE_SIZE) || alignment < PAGE_SIZE ||
        (alignment & (alignment - 1)) != 0 || owner == OWNER_NOBODY || owner == OWNER_NONE)
        return STATUS_INVALID;
    lock_take(&frame_table.lock);
    enum status status = frames_claim_between(owner, size, alignment, LOW_MEMORY,
                                              limit == 0 ? PHYSICAL_END : limit, base);
    lock_give(&frame_table.lock);
    return status;
}

enum status frames_transfer(uint64_t base, uint64_t size, owner_t from, owner_t to)
{
    if (!frames_range_valid(base, size))
        return STATUS_INVALID;
    enum status status = STATUS_DENIED;
    lock_take(&frame_table.lock);
    if (frames_all_owned_by(base, base + size, from) &&
        (to != OWNER_NOBODY || all_ram(base, base + size)))
        status = frames_set_owner(base, base + size, to);
    lock_give(&frame_table.lock);
    return status;
}

/* --- looking --- */

owner_t frames_owner(uint64_t address)
{
    lock_take(&frame_table.lock);
    size_t index = frames_find(address);
    owner_t owner = index < frame_table.range_count && frame_table.ranges[index].base <= address
                        ? frame_table.ranges[index].owner
                        : OWNER_NONE;
    lock_give(&frame_table.lock);
    return owner;
}

bool frames_owned_by(uint64_t base, uint64_t size, owner_t owner)
{
    if (size == 0 || base >= PHYSICAL_END || size > PHYSICAL_END - base)
        return false;
    lock_take(&frame_table.lock);
    bool owned = frames_all_owned_by(base, base + size, owner);
    lock_give(&frame_table.lock);
    return owned;
}

const struct frame_range *frames_range(size_t index)
{
    return index < frame_table.range_count ? &frame_table.ranges[index] : NULL;
}

uint64_t frames_ram_bytes(owner_t owner)
{
    uint64_t bytes = 0;
    lock_take(&frame_table.lock);
    for (size_t i = 0; i < frame_table.range_count; i++)
        for (size_t r = 0; r < frame_table.ram_count && frame_table.ranges[i].owner == owner; r++) {
            uint64_t base = MAX(frame_table.ranges[i].base, frame_table.ram[r].base);
            uint64_t end = frame_range_end(&frame_table.ranges[i]);
            end = MIN(end, frame_table.ram[r].end);
            bytes += end > base ? end - base : 0;
        }
    lock_give(&frame_table.lock);
    return bytes;
}
