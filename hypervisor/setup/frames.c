/* SPDX-License-Identifier: MIT */
/* The frame table at boot: built from the loader's map, and what is taken before there are guests.
 */
#include "hypervisor/base/log.h"
#include "hypervisor/memory/frames_internal.h"
#include "hypervisor/setup/memory.h"

_Static_assert(FRAME_MAX_RAM >= BOOT_MAX_RANGES, "all RAM of the loader's map");

#define LOW_USABLE UINT64_C(0xa0000) /* SIPI vectors 0xa0-0xbf are reserved (SDM 3A 9.4.3) */

/* In the order of protection: a later one wins where ranges overlap. */
static const struct {
    uint32_t type;
    owner_t owner;
} protection[] = {
    {BOOT_MEMORY_USABLE, OWNER_NOBODY}, {BOOT_MEMORY_SPECIAL, OWNER_NOBODY},
    {BOOT_MEMORY_LOADER, OWNER_LOADER}, {BOOT_MEMORY_IMAGE, OWNER_HYPERVISOR},
    {BOOT_MEMORY_MMIO, OWNER_MMIO},     {BOOT_MEMORY_ACPI, OWNER_FIRMWARE},
    {BOOT_MEMORY_NVS, OWNER_FIRMWARE},  {BOOT_MEMORY_RESERVED, OWNER_FIRMWARE},
};

static size_t protection_of(uint32_t type)
{
    for (size_t i = 0; i < ARRAY_SIZE(protection); i++)
        if (protection[i].type == type)
            return i;
    return ARRAY_SIZE(protection) - 1; /* unknown: reserved */
}

/* The whole pages of a range: those entirely inside usable memory, those touched by any other. */
static bool clip(const struct boot_memory_range *range, uint64_t *base, uint64_t *end)
{
    if (range->size == 0 || range->base >= PHYSICAL_END)
        return false;
    *base = range->base;
    *end = range->size > PHYSICAL_END - range->base ? PHYSICAL_END : range->base + range->size;
    if (range->type == BOOT_MEMORY_USABLE || range->type == BOOT_MEMORY_SPECIAL) {
        *base = ALIGN_UP(*base, PAGE_SIZE);
        *end = ALIGN_DOWN(*end, PAGE_SIZE);
    } else {
        *base = ALIGN_DOWN(*base, PAGE_SIZE);
        *end = ALIGN_UP(*end, PAGE_SIZE);
    }
    return *base < *end;
}

/* The hypervisor's is the image, so far. */
static bool is_ram(owner_t owner)
{
    return owner == OWNER_NOBODY || owner == OWNER_LOADER || owner == OWNER_HYPERVISOR;
}

static enum status note_ram(void)
{
    frame_table.ram_count = 0;
    for (size_t i = 0; i < frame_table.range_count; i++) {
        if (!is_ram(frame_table.ranges[i].owner))
            continue;
        if (frame_table.ram_count > 0 &&
            frame_table.ram[frame_table.ram_count - 1].end == frame_table.ranges[i].base) {
            frame_table.ram[frame_table.ram_count - 1].end =
                frame_range_end(&frame_table.ranges[i]);
            continue;
        }
        if (frame_table.ram_count == ARRAY_SIZE(frame_table.ram))
            return STATUS_FULL;
        frame_table.ram[frame_table.ram_count].base = frame_table.ranges[i].base;
        frame_table.ram[frame_table.ram_count].end = frame_range_end(&frame_table.ranges[i]);
        frame_table.ram_count++;
    }
    return frame_table.ram_count == 0 ? STATUS_NO_MEMORY : STATUS_OK;
}

enum status frames_init(const struct boot_info *boot)
{
    frame_table.range_count = 0;
    frame_table.ram_count = 0;
    if (boot->range_count > BOOT_MAX_RANGES) {
        log_event("memory.refused",
                  "ranges=%u message=\"the loader's memory map claims more entries than it can "
                  "hold; load with another loader\"",
                  boot->range_count);
        return STATUS_INVALID;
    }
    for (size_t level = 0; level < ARRAY_SIZE(protection); level++) {
        for (uint32_t i = 0; i < boot->range_count; i++) {
            const struct boot_memory_range *range = &boot->ranges[i];
            uint64_t base, end;
            if (protection_of(range->type) != level || !clip(range, &base, &end))
                continue;
            if (!frames_all_owned_by(base, end, OWNER_NONE) &&
                !frames_all_owned_by(base, end, protection[level].owner))
                log_event("memory.overlap",
                          "base=0x%lx end=0x%lx type=%u message=\"the memory map lists this range "
                          "twice; the more restrictive type applies\"",
                          base, end, range->type);
            enum status status = frames_set_owner(base, end, protection[level].owner);
            if (status != STATUS_OK) {
                log_event("memory.refused",
                          "base=0x%lx limit=%u message=\"the memory map is cut into more pieces "
                          "than the frame table holds\"",
                          base, FRAME_MAX_RANGES);
                return status;
            }
        }
    }
    enum status status = note_ram();
    if (status != STATUS_OK)
        log_event(
            "memory.refused",
            "ranges=%u message=\"the memory map has no usable memory, or too many pieces of it\"",
            boot->range_count);
    return status;
}

enum status frames_claim_low_page(uint64_t *base)
{
    lock_take(&frame_table.lock);
    /* Not page 0: an address of 0 means "none" everywhere. */
    enum status status =
        frames_claim_between(OWNER_HYPERVISOR, PAGE_SIZE, PAGE_SIZE, PAGE_SIZE, LOW_USABLE, base);
    lock_give(&frame_table.lock);
    return status;
}

uint64_t frames_largest(uint64_t from, uint64_t limit, uint64_t alignment, uint64_t wanted,
                        uint64_t *base)
{
    uint64_t largest = 0;
    lock_take(&frame_table.lock);
    for (size_t i = frame_table.range_count; i-- > 0;) {
        const struct frame_range *range = &frame_table.ranges[i];
        uint64_t end = frame_range_end(range), low = MAX(range->base, from);
        end = MIN(end, limit);
        low = MAX(low, LOW_MEMORY);
        uint64_t first = ALIGN_UP(low, alignment);
        if (range->owner != OWNER_NOBODY || first >= end)
            continue;
        uint64_t size = ALIGN_DOWN(end - first, PAGE_2M);
        size = MIN(size, wanted);
        if (size <= largest)
            continue;
        largest = size;
        *base = ALIGN_DOWN(end - size, alignment);
    }
    lock_give(&frame_table.lock);
    return largest;
}

enum status frames_take(uint64_t base, uint64_t size, uint32_t from, owner_t to)
{
    if (!frames_range_valid(base, size))
        return STATUS_INVALID;
    enum status status = STATUS_OK;
    lock_take(&frame_table.lock);
    for (uint64_t at = base, end = base + size; at < end && status == STATUS_OK;) {
        size_t index = frames_find(at);
        owner_t owner = OWNER_NONE;
        uint64_t next =
            index < frame_table.range_count ? MIN(frame_table.ranges[index].base, end) : end;
        if (next <= at) {
            owner = frame_table.ranges[index].owner;
            next = frame_range_end(&frame_table.ranges[index]);
            next = MIN(next, end);
        }
        if (!OWNER_IS_GUEST(owner) && (from & BIT(owner)) != 0)
            status = frames_set_owner(at, next, to);
        at = next;
    }
    lock_give(&frame_table.lock);
    return status;
}

void frames_release_all(owner_t owner)
{
    if (owner == OWNER_NOBODY || owner == OWNER_NONE)
        return;
    lock_take(&frame_table.lock);
    for (size_t r = 0; r < frame_table.ram_count; r++) {
        /* Merging moves entries, so the position is found again after each change. */
        for (uint64_t at = frame_table.ram[r].base; at < frame_table.ram[r].end;) {
            size_t index = frames_find(at);
            if (index == frame_table.range_count ||
                frame_table.ranges[index].base >= frame_table.ram[r].end)
                break;
            uint64_t base = MAX(frame_table.ranges[index].base, frame_table.ram[r].base);
            uint64_t end = frame_range_end(&frame_table.ranges[index]);
            end = MIN(end, frame_table.ram[r].end);
            if (frame_table.ranges[index].owner == owner &&
                frames_set_owner(base, end, OWNER_NOBODY) != STATUS_OK)
                log_event("memory.lost",
                          "base=0x%lx size=0x%lx message=\"the frame table is full: this memory "
                          "stays with its owner until a restart\"",
                          base, (end - base));
            at = end;
        }
    }
    lock_give(&frame_table.lock);
}

uint64_t frames_bytes(owner_t owner)
{
    uint64_t bytes = 0, listed = 0;
    lock_take(&frame_table.lock);
    for (size_t i = 0; i < frame_table.range_count; i++) {
        listed += frame_table.ranges[i].size;
        if (frame_table.ranges[i].owner == owner)
            bytes += frame_table.ranges[i].size;
    }
    lock_give(&frame_table.lock);
    return owner == OWNER_NONE ? PHYSICAL_END - listed : bytes;
}
