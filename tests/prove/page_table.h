/* SPDX-License-Identifier: MIT */
/* The page-table engine with few entries a table, in three levels. Its pages come from a
 * pool here, whose physical addresses are made up. */
#pragma once

#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/page_table.h"
#include "hypervisor/memory/pages.h"
#include "tests/prove/prove.h"

#define ENTRIES   (1u << PAGE_TABLE_BITS)
#define POOL      4u /* three tables on the way to a page, and one that a split takes */
#define POOL_BASE BIT(40)
#define LEVELS    3u
#define INPUT_END (PAGE_SIZE << LEVELS * PAGE_TABLE_BITS)

static uint64_t pool[POOL][ENTRIES];
static unsigned pool_used;

void *pages_allocate(size_t count)
{
    CLAIM(count == 1);
    if (pool_used == POOL || nondet_bool())
        return NULL; /* memory may run out at any moment */
    return pool[pool_used++];
}

void pages_free(void *pages, size_t count)
{
    (void)pages, (void)count;
}

void cache_flush_range(const volatile void *address, size_t size)
{
    (void)address, (void)size;
}

uint64_t physical_address(const volatile void *pointer)
{
    uint64_t offset = (uint64_t)((const volatile char *)pointer - (const volatile char *)pool);
    return POOL_BASE + offset / sizeof pool[0] * PAGE_SIZE + offset % sizeof pool[0];
}

void *virtual_address(uint64_t physical)
{
    uint64_t page = (physical - POOL_BASE) / PAGE_SIZE, inside = physical % PAGE_SIZE;
    if (physical < POOL_BASE || page >= POOL || inside >= sizeof pool[0])
        return NULL;
    return &pool[page][inside / sizeof(uint64_t)];
}

/* An input address whose page matters, and what it is mapped to at first. */
static uint64_t any_page(uint64_t end)
{
    uint64_t address = nondet_uint64();
    ASSUME(address < end && IS_ALIGNED(address, PAGE_SIZE));
    return address;
}

static unsigned any_rights(void)
{
    return nondet_uint32() & (FORMAT_RIGHTS);
}
