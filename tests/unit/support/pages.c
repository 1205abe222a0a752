/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "hypervisor/memory/pages.h"
#include "tests/unit/support/host.h"

static size_t limit = SIZE_MAX;
static size_t in_use;

void host_pages_limit(size_t pages)
{
    limit = pages;
}

void *pages_allocate(size_t count)
{
    size_t order = 1;
    while (order < count)
        order *= 2;
    if (count == 0 || count > 512 || in_use + count > limit)
        return NULL;
    void *pages = aligned_alloc(order * PAGE_SIZE, order * PAGE_SIZE);
    if (pages == NULL)
        return NULL;
    memset(pages, 0, order * PAGE_SIZE);
    in_use += count;
    return pages;
}

void pages_free(void *pages, size_t count)
{
    if (pages == NULL)
        return;
    free(pages);
    in_use -= count;
}

size_t pages_in_use(void)
{
    return in_use;
}

uint64_t physical_address(const volatile void *pointer)
{
    return (uint64_t)(uintptr_t)pointer;
}

void *virtual_address(uint64_t physical)
{
    return (void *)(uintptr_t)physical;
}
