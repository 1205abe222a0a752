/* SPDX-License-Identifier: MIT */
#include "hypervisor/memory/pages.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/frames.h"
#include "hypervisor/base/lock.h"

#define CHUNK_PAGES 512u
#define MAX_CHUNKS  512u /* 1 GiB of tables: enough for 400 GiB of guest memory in 4 KiB pages */

struct chunk {
    uint64_t physical; /* 2 MiB aligned */
    uint64_t used[CHUNK_PAGES / 64];
    unsigned free;
};

static struct chunk chunks[MAX_CHUNKS];
static size_t chunk_count;
static size_t in_use;
static struct lock lock;

/* Virtual minus physical address: 0 in the loader's identity map. */
static uint64_t direct_map_offset;

static struct {
    uint64_t physical;
    uintptr_t virtual;
    uint64_t size;
} image;

static bool is_used(const struct chunk *chunk, unsigned page)
{
    return (chunk->used[page / 64] & BIT(page % 64)) != 0;
}

static void mark(struct chunk *chunk, unsigned first, unsigned count, bool used)
{
    for (unsigned page = first; page < first + count; page++) {
        if (used)
            chunk->used[page / 64] |= BIT(page % 64);
        else
            chunk->used[page / 64] &= ~BIT(page % 64);
    }
    if (used)
        chunk->free -= count;
    else
        chunk->free += count;
}

/* First page of a free run whose start is a multiple of `alignment`; CHUNK_PAGES when none is. */
static unsigned find_run(const struct chunk *chunk, unsigned count, unsigned alignment)
{
    if (chunk->free < count)
        return CHUNK_PAGES;
    for (unsigned first = 0; first + count <= CHUNK_PAGES; first += alignment) {
        unsigned length = 0;
        while (length < count && !is_used(chunk, first + length))
            length++;
        if (length == count)
            return first;
    }
    return CHUNK_PAGES;
}

/* The tables of the direct map are there already (address_space_init), so growing takes no page. */
static bool grow(void)
{
    uint64_t physical;
    if (chunk_count == MAX_CHUNKS ||
        frames_claim(OWNER_HYPERVISOR, PAGE_2M, PAGE_2M, GIB(4), &physical) != STATUS_OK)
        return false;
    if (direct_map_add(physical, PAGE_2M) != STATUS_OK) {
        if (frames_transfer(physical, PAGE_2M, OWNER_HYPERVISOR, OWNER_NOBODY) != STATUS_OK)
            log_event("memory.lost",
                      "base=0x%lx size=0x%lx message=\"memory that cannot be mapped cannot be "
                      "freed; it stays unused\"",
                      physical, PAGE_2M);
        return false;
    }
    chunks[chunk_count] = (struct chunk){.physical = physical, .free = CHUNK_PAGES};
    /* Translation looks without the lock. */
    __atomic_store_n(&chunk_count, chunk_count + 1, __ATOMIC_RELEASE);
    return true;
}

static uint64_t allocate(unsigned count, unsigned alignment)
{
    for (size_t i = 0; i < chunk_count || grow(); i++) {
        unsigned first = find_run(&chunks[i], count, alignment);
        if (first == CHUNK_PAGES)
            continue;
        mark(&chunks[i], first, count, true);
        in_use += count;
        return chunks[i].physical + first * PAGE_SIZE;
    }
    return 0;
}

void *pages_allocate(size_t count)
{
    if (count == 0 || count > CHUNK_PAGES)
        return NULL;
    unsigned alignment = 1;
    while (alignment < count)
        alignment *= 2;
    lock_take(&lock);
    uint64_t physical = allocate((unsigned)count, alignment);
    lock_give(&lock);
    if (physical == 0)
        return NULL;
    void *pages = (void *)(uintptr_t)(physical + direct_map_offset);
    memset(pages, 0, count * PAGE_SIZE);
    return pages;
}

static struct chunk *chunk_of(uint64_t physical)
{
    size_t count = __atomic_load_n(&chunk_count, __ATOMIC_ACQUIRE);
    for (size_t i = 0; i < count; i++)
        if (physical - chunks[i].physical < PAGE_2M)
            return &chunks[i];
    return NULL;
}

void pages_free(void *pages, size_t count)
{
    if (pages == NULL)
        return;
    uint64_t physical = (uint64_t)(uintptr_t)pages - direct_map_offset;
    lock_take(&lock);
    struct chunk *chunk = chunk_of(physical);
    bool valid = chunk != NULL && count <= CHUNK_PAGES && IS_ALIGNED(physical, PAGE_SIZE);
    unsigned first = (unsigned)(physical % PAGE_2M / PAGE_SIZE);
    valid = valid && first + count <= CHUNK_PAGES;
    for (unsigned i = 0; valid && i < count; i++)
        valid = is_used(chunk, first + i);
    if (valid) {
        mark(chunk, first, (unsigned)count, false);
        in_use -= count;
    }
    lock_give(&lock);
    if (!valid)
        log_event("memory.refused",
                  "address=0x%lx pages=%lu message=\"pages were freed that are not allocated; this "
                  "is a bug in the hypervisor, please report it\"",
                  (uintptr_t)pages, count);
}

size_t pages_in_use(void)
{
    return in_use;
}

uint64_t physical_address(const volatile void *pointer)
{
    uintptr_t address = (uintptr_t)pointer;
    if (address - image.virtual < image.size)
        return address - image.virtual + image.physical;
    return address - direct_map_offset;
}

void *virtual_address(uint64_t physical)
{
    if (chunk_of(physical) != NULL)
        return (void *)(uintptr_t)(physical + direct_map_offset);
    /* Parts of the image go before the guests start. */
    if (physical - image.physical < image.size && frames_owner(physical) == OWNER_HYPERVISOR)
        return (void *)(uintptr_t)(physical - image.physical + image.virtual);
    return NULL;
}

enum status pages_init(uint64_t image_physical, uintptr_t image_virtual, uint64_t image_size)
{
    image.physical = image_physical;
    image.virtual = image_virtual;
    image.size = image_size;
    chunk_count = 0;
    in_use = 0;
    direct_map_offset = 0;
    return grow() ? STATUS_OK : STATUS_NO_MEMORY;
}

void pages_use_direct_map(void)
{
    direct_map_offset = DIRECT_MAP_BASE;
}

uint64_t pages_chunk(size_t index)
{
    return index < chunk_count ? chunks[index].physical : 0;
}
