/* SPDX-License-Identifier: MIT */
#include "hypervisor/memory/pages_internal.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/frames.h"

struct own_pages own_pages;

static bool is_used(const struct chunk *chunk, unsigned page)
{
    return (chunk->used[page / 64] & BIT(page % 64)) != 0;
}

/* Free pages become used ones, or used ones free. */
static void flip(struct chunk *chunk, unsigned first, unsigned count)
{
    chunk->free = is_used(chunk, first) ? chunk->free + count : chunk->free - count;
    for (unsigned page = first; page < first + count; page++)
        chunk->used[page / 64] ^= BIT(page % 64);
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
bool pages_grow(void)
{
    uint64_t physical;
    if (own_pages.chunk_count == MAX_CHUNKS ||
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
    own_pages.chunks[own_pages.chunk_count] =
        (struct chunk){.physical = physical, .free = CHUNK_PAGES};
    /* Translation looks without the lock. */
    __atomic_store_n(&own_pages.chunk_count, own_pages.chunk_count + 1, __ATOMIC_RELEASE);
    return true;
}

static uint64_t allocate(unsigned count, unsigned alignment)
{
    for (size_t i = 0; i < own_pages.chunk_count || pages_grow(); i++) {
        unsigned first = find_run(&own_pages.chunks[i], count, alignment);
        if (first == CHUNK_PAGES)
            continue;
        flip(&own_pages.chunks[i], first, count);
        own_pages.in_use += count;
        return own_pages.chunks[i].physical + first * PAGE_SIZE;
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
    lock_take(&own_pages.lock);
    uint64_t physical = allocate((unsigned)count, alignment);
    lock_give(&own_pages.lock);
    if (physical == 0)
        return NULL;
    void *pages = (void *)(uintptr_t)(physical + own_pages.direct_map_offset);
    memset(pages, 0, count * PAGE_SIZE);
    return pages;
}

static struct chunk *chunk_of(uint64_t physical)
{
    size_t count = __atomic_load_n(&own_pages.chunk_count, __ATOMIC_ACQUIRE);
    for (size_t i = 0; i < count; i++)
        if (physical - own_pages.chunks[i].physical < PAGE_2M)
            return &own_pages.chunks[i];
    return NULL;
}

void pages_free(void *pages, size_t count)
{
    if (pages == NULL)
        return;
    uint64_t physical = (uint64_t)(uintptr_t)pages - own_pages.direct_map_offset;
    lock_take(&own_pages.lock);
    struct chunk *chunk = chunk_of(physical);
    bool valid = chunk != NULL && count <= CHUNK_PAGES && IS_ALIGNED(physical, PAGE_SIZE);
    unsigned first = (unsigned)(physical % PAGE_2M / PAGE_SIZE);
    valid = valid && first + count <= CHUNK_PAGES;
    for (unsigned i = 0; valid && i < count; i++)
        valid = is_used(chunk, first + i);
    if (valid) {
        flip(chunk, first, (unsigned)count);
        own_pages.in_use -= count;
    }
    lock_give(&own_pages.lock);
    if (!valid)
        log_event("memory.refused",
                  "address=0x%lx pages=%lu message=\"pages were freed that are not allocated; this "
                  "is a bug in the hypervisor, please report it\"",
                  (uintptr_t)pages, count);
}

size_t pages_in_use(void)
{
    return own_pages.in_use;
}

uint64_t physical_address(const volatile void *pointer)
{
    uintptr_t address = (uintptr_t)pointer;
    if (address - own_pages.image.virtual < own_pages.image.size)
        return address - own_pages.image.virtual + own_pages.image.physical;
    return address - own_pages.direct_map_offset;
}

void *virtual_address(uint64_t physical)
{
    if (chunk_of(physical) != NULL)
        return (void *)(uintptr_t)(physical + own_pages.direct_map_offset);
    /* Parts of the image go before the guests start. */
    if (physical - own_pages.image.physical < own_pages.image.size &&
        frames_owner(physical) == OWNER_HYPERVISOR)
        return (void *)(uintptr_t)(physical - own_pages.image.physical + own_pages.image.virtual);
    return NULL;
}
