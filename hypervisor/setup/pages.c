/* SPDX-License-Identifier: MIT */
/* The hypervisor's own pages before and while its address space is built. */
#include "hypervisor/memory/pages_internal.h"
#include "hypervisor/setup/memory.h"

enum status pages_init(uint64_t image_physical, uintptr_t image_virtual, uint64_t image_size)
{
    own_pages.image.physical = image_physical;
    own_pages.image.virtual = image_virtual;
    own_pages.image.size = image_size;
    own_pages.chunk_count = 0;
    own_pages.in_use = 0;
    own_pages.direct_map_offset = 0;
    return pages_grow() ? STATUS_OK : STATUS_NO_MEMORY;
}

void pages_use_direct_map(void)
{
    own_pages.direct_map_offset = DIRECT_MAP_BASE;
}

uint64_t pages_chunk(size_t index)
{
    return index < own_pages.chunk_count ? own_pages.chunks[index].physical : 0;
}
