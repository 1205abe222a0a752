#include "hypervisor/memory/frames.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/lock.h"

#define PHYSICAL_END BIT(52) /* no x86 processor addresses more (SDM 3A 4.1.4) */
#define LOW_MEMORY   MIB(1)
#define LOW_USABLE   UINT64_C(0xa0000) /* SIPI vectors 0xa0-0xbf are reserved (SDM 3A 9.4.3) */

/* Sorted, not overlapping, neighbours of one owner merged; what is missing is OWNER_NONE. */
static struct frame_range ranges[FRAME_MAX_RANGES];
static size_t range_count;

/* Where the loader found RAM: only this can ever be free. Sorted, neighbours merged. */
static struct {
    uint64_t base, end;
} ram[BOOT_MAX_RANGES];
static size_t ram_count;

static struct lock lock;

static uint64_t range_end(const struct frame_range *range)
{
    return range->base + range->size;
}

/* Index of the first range that ends above `address`. */
static size_t find(uint64_t address)
{
    size_t low = 0, high = range_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (range_end(&ranges[middle]) <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void remove_at(size_t index, size_t count)
{
    for (size_t i = index; i + count < range_count; i++)
        ranges[i] = ranges[i + count];
    range_count -= count;
}

static void insert_at(size_t index, struct frame_range range)
{
    for (size_t i = range_count; i > index; i--)
        ranges[i] = ranges[i - 1];
    ranges[index] = range;
    range_count++;
}

static bool joins(const struct frame_range *left, const struct frame_range *right)
{
    return left->owner == right->owner && range_end(left) == right->base;
}

/* Gives [base, end) to `owner`, whoever had it. Needs room for two more ranges: STATUS_FULL, and
 * nothing changed, without it. */
static enum status set_owner(uint64_t base, uint64_t end, owner_t owner)
{
    if (range_count + 2 > FRAME_MAX_RANGES)
        return STATUS_FULL;
    size_t first = find(base);
    /* Cut what straddles either border. */
    if (first < range_count && ranges[first].base < base) {
        struct frame_range left = ranges[first];
        ranges[first].size = range_end(&left) - base;
        ranges[first].base = base;
        left.size = base - left.base;
        insert_at(first, left);
        first++;
    }
    size_t past = first;
    while (past < range_count && range_end(&ranges[past]) <= end)
        past++;
    if (past < range_count && ranges[past].base < end) {
        ranges[past].size = range_end(&ranges[past]) - end;
        ranges[past].base = end;
    }
    remove_at(first, past - first);
    if (owner == OWNER_NONE)
        return STATUS_OK;
    insert_at(first, (struct frame_range){base, end - base, owner});
    if (first + 1 < range_count && joins(&ranges[first], &ranges[first + 1])) {
        ranges[first].size += ranges[first + 1].size;
        remove_at(first + 1, 1);
    }
    if (first > 0 && joins(&ranges[first - 1], &ranges[first])) {
        ranges[first - 1].size += ranges[first].size;
        remove_at(first, 1);
    }
    return STATUS_OK;
}

static bool all_owned_by(uint64_t base, uint64_t end, owner_t owner)
{
    size_t index = find(base);
    if (owner == OWNER_NONE)
        return index == range_count || ranges[index].base >= end;
    for (uint64_t at = base; at < end; at = range_end(&ranges[index]), index++)
        if (index == range_count || ranges[index].base > at || ranges[index].owner != owner)
            return false;
    return true;
}

static bool all_ram(uint64_t base, uint64_t end)
{
    for (size_t i = 0; i < ram_count; i++)
        if (base >= ram[i].base && end <= ram[i].end)
            return true;
    return false;
}

/* --- the loader's map --- */

/* In the order of protection: a later one wins where ranges overlap. */
static const struct {
    uint32_t type;
    owner_t owner;
} protection[] = {
    {BOOT_MEMORY_USABLE, OWNER_NOBODY},     {BOOT_MEMORY_LOADER, OWNER_LOADER},
    {BOOT_MEMORY_IMAGE, OWNER_HYPERVISOR},  {BOOT_MEMORY_MMIO, OWNER_MMIO},
    {BOOT_MEMORY_ACPI, OWNER_FIRMWARE},     {BOOT_MEMORY_NVS, OWNER_FIRMWARE},
    {BOOT_MEMORY_RESERVED, OWNER_FIRMWARE},
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
    if (range->type == BOOT_MEMORY_USABLE) {
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
    ram_count = 0;
    for (size_t i = 0; i < range_count; i++) {
        if (!is_ram(ranges[i].owner))
            continue;
        if (ram_count > 0 && ram[ram_count - 1].end == ranges[i].base) {
            ram[ram_count - 1].end = range_end(&ranges[i]);
            continue;
        }
        if (ram_count == ARRAY_SIZE(ram))
            return STATUS_FULL;
        ram[ram_count].base = ranges[i].base;
        ram[ram_count].end = range_end(&ranges[i]);
        ram_count++;
    }
    return ram_count == 0 ? STATUS_NO_MEMORY : STATUS_OK;
}

enum status frames_init(const struct boot_info *boot)
{
    range_count = 0;
    ram_count = 0;
    if (boot->range_count > BOOT_MAX_RANGES) {
        log_event("memory.refused",
                  "ranges=%u message=\"the loader's memory map claims more "
                  "entries than it can hold; load with another loader\"",
                  boot->range_count);
        return STATUS_INVALID;
    }
    for (size_t level = 0; level < ARRAY_SIZE(protection); level++) {
        for (uint32_t i = 0; i < boot->range_count; i++) {
            const struct boot_memory_range *range = &boot->ranges[i];
            uint64_t base, end;
            if (protection_of(range->type) != level || !clip(range, &base, &end))
                continue;
            if (!all_owned_by(base, end, OWNER_NONE) &&
                !all_owned_by(base, end, protection[level].owner))
                log_event("memory.overlap",
                          "base=0x%llx end=0x%llx type=%u message=\"the memory "
                          "map lists this range twice; the more protected use holds\"",
                          (unsigned long long)base, (unsigned long long)end, range->type);
            enum status status = set_owner(base, end, protection[level].owner);
            if (status != STATUS_OK) {
                log_event("memory.refused",
                          "base=0x%llx limit=%u message=\"the memory map is cut "
                          "into more pieces than the frame table holds\"",
                          (unsigned long long)base, FRAME_MAX_RANGES);
                return status;
            }
        }
    }
    enum status status = note_ram();
    if (status != STATUS_OK)
        log_event("memory.refused",
                  "ranges=%u message=\"the memory map has no usable memory, or "
                  "in too many pieces\"",
                  boot->range_count);
    return status;
}

/* --- claiming and giving back --- */

static enum status claim(owner_t owner, uint64_t size, uint64_t alignment, uint64_t from,
                         uint64_t limit, uint64_t *base)
{
    for (size_t i = range_count; i-- > 0;) {
        const struct frame_range *range = &ranges[i];
        if (range->owner != OWNER_NOBODY)
            continue;
        uint64_t low = MAX(range->base, from);
        uint64_t high = MIN(range_end(range), limit);
        if (high < low || high - low < size)
            continue;
        uint64_t found = ALIGN_DOWN(high - size, alignment);
        if (found < low)
            continue;
        enum status status = set_owner(found, found + size, owner);
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
    lock_take(&lock);
    enum status status =
        claim(owner, size, alignment, LOW_MEMORY, limit == 0 ? PHYSICAL_END : limit, base);
    lock_give(&lock);
    return status;
}

enum status frames_claim_low_page(uint64_t *base)
{
    lock_take(&lock);
    /* Not page 0: an address of 0 means "none" all over. */
    enum status status = claim(OWNER_HYPERVISOR, PAGE_SIZE, PAGE_SIZE, PAGE_SIZE, LOW_USABLE, base);
    lock_give(&lock);
    return status;
}

static bool range_valid(uint64_t base, uint64_t size)
{
    return size != 0 && IS_ALIGNED(base, PAGE_SIZE) && IS_ALIGNED(size, PAGE_SIZE) &&
           base < PHYSICAL_END && size <= PHYSICAL_END - base;
}

enum status frames_transfer(uint64_t base, uint64_t size, owner_t from, owner_t to)
{
    if (!range_valid(base, size))
        return STATUS_INVALID;
    enum status status = STATUS_DENIED;
    lock_take(&lock);
    if (all_owned_by(base, base + size, from) && (to != OWNER_NOBODY || all_ram(base, base + size)))
        status = set_owner(base, base + size, to);
    lock_give(&lock);
    return status;
}

enum status frames_take(uint64_t base, uint64_t size, uint32_t from, owner_t to)
{
    if (!range_valid(base, size))
        return STATUS_INVALID;
    enum status status = STATUS_OK;
    lock_take(&lock);
    for (uint64_t at = base, end = base + size; at < end && status == STATUS_OK;) {
        size_t index = find(at);
        owner_t owner = OWNER_NONE;
        uint64_t next = index < range_count ? MIN(ranges[index].base, end) : end;
        if (next <= at) {
            owner = ranges[index].owner;
            next = MIN(range_end(&ranges[index]), end);
        }
        if (!OWNER_IS_GUEST(owner) && (from & BIT(owner)) != 0)
            status = set_owner(at, next, to);
        at = next;
    }
    lock_give(&lock);
    return status;
}

void frames_release_all(owner_t owner)
{
    if (owner == OWNER_NOBODY || owner == OWNER_NONE)
        return;
    lock_take(&lock);
    for (size_t r = 0; r < ram_count; r++) {
        /* Merging moves entries, so the position is found again after each change. */
        for (uint64_t at = ram[r].base; at < ram[r].end;) {
            size_t index = find(at);
            if (index == range_count || ranges[index].base >= ram[r].end)
                break;
            uint64_t base = MAX(ranges[index].base, ram[r].base);
            uint64_t end = MIN(range_end(&ranges[index]), ram[r].end);
            if (ranges[index].owner == owner && set_owner(base, end, OWNER_NOBODY) != STATUS_OK)
                log_event("memory.lost",
                          "base=0x%llx size=0x%llx message=\"the frame table is "
                          "full: this memory stays with its owner until a restart\"",
                          (unsigned long long)base, (unsigned long long)(end - base));
            at = end;
        }
    }
    lock_give(&lock);
}

/* --- looking --- */

owner_t frames_owner(uint64_t address)
{
    lock_take(&lock);
    size_t index = find(address);
    owner_t owner =
        index < range_count && ranges[index].base <= address ? ranges[index].owner : OWNER_NONE;
    lock_give(&lock);
    return owner;
}

bool frames_owned_by(uint64_t base, uint64_t size, owner_t owner)
{
    if (size == 0 || base >= PHYSICAL_END || size > PHYSICAL_END - base)
        return false;
    lock_take(&lock);
    bool owned = all_owned_by(base, base + size, owner);
    lock_give(&lock);
    return owned;
}

const struct frame_range *frames_range(size_t index)
{
    return index < range_count ? &ranges[index] : NULL;
}

uint64_t frames_bytes(owner_t owner)
{
    uint64_t bytes = 0, listed = 0;
    lock_take(&lock);
    for (size_t i = 0; i < range_count; i++) {
        listed += ranges[i].size;
        if (ranges[i].owner == owner)
            bytes += ranges[i].size;
    }
    lock_give(&lock);
    return owner == OWNER_NONE ? PHYSICAL_END - listed : bytes;
}

uint64_t frames_ram_bytes(owner_t owner)
{
    uint64_t bytes = 0;
    lock_take(&lock);
    for (size_t i = 0; i < range_count; i++)
        for (size_t r = 0; r < ram_count && ranges[i].owner == owner; r++) {
            uint64_t base = MAX(ranges[i].base, ram[r].base);
            uint64_t end = MIN(range_end(&ranges[i]), ram[r].end);
            bytes += end > base ? end - base : 0;
        }
    lock_give(&lock);
    return bytes;
}

const char *frames_owner_kind(owner_t owner)
{
    static const char *const kinds[] = {
        [OWNER_NOBODY] = "free", [OWNER_HYPERVISOR] = "hypervisor", [OWNER_FIRMWARE] = "firmware",
        [OWNER_MMIO] = "mmio",   [OWNER_LOADER] = "loader",         [OWNER_NONE] = "none",
    };
    /* Several, so that one log line can name two or three guests. */
    static char guests[4][16];
    static unsigned next;
    if (!OWNER_IS_GUEST(owner))
        return owner < ARRAY_SIZE(kinds) ? kinds[owner] : "unknown";
    char *text = guests[__atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) % ARRAY_SIZE(guests)];
    char digits[6];
    size_t count = 0;
    for (unsigned number = OWNER_GUEST_INDEX(owner); count == 0 || number != 0; number /= 10)
        digits[count++] = (char)('0' + number % 10);
    size_t length = 0;
    for (const char *word = "guest "; *word != '\0'; word++)
        text[length++] = *word;
    while (count > 0)
        text[length++] = digits[--count];
    text[length] = '\0';
    return text;
}
