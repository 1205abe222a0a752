/* SPDX-License-Identifier: MIT */
/* What pages.c and setup/pages.c share. */
#pragma once

#include "hypervisor/base/lock.h"
#include "hypervisor/memory/pages.h"

#define CHUNK_PAGES 512u
#define MAX_CHUNKS  512u /* 1 GiB of tables: enough for 400 GiB of guest memory in 4 KiB pages */

extern struct own_pages {
    struct chunk {
        uint64_t physical; /* 2 MiB aligned */
        uint64_t used[CHUNK_PAGES / 64];
        unsigned free;
    } chunks[MAX_CHUNKS];
    size_t chunk_count;
    size_t in_use;
    struct lock lock;
    /* Virtual minus physical address: 0 in the loader's identity map. */
    uint64_t direct_map_offset;
    struct {
        uint64_t physical;
        uintptr_t virtual;
        uint64_t size;
    } image;
} own_pages;

/* One more chunk, which is mapped, with the lock held; false: there is no memory for it. */
MUST_CHECK bool pages_grow(void);
