/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own pages: tables, stacks, control structures. They come from frames owned by
 * OWNER_HYPERVISOR, claimed 2 MiB at a time and mapped in the direct map, so that translation in
 * both directions is an addition. Guest memory is never in the direct map. All of them lie below
 * 4 GiB, so that a core still in 32-bit mode can load a page-table root.
 *
 * Before address_space_init() has switched to the direct map, addresses are physical ones, reached
 * through the loader's identity map: only page tables may be built in that time, because those hold
 * physical addresses.
 *
 * Host tests provide these functions with memory of their own.
 */
#pragma once

#include "hypervisor/base/core.h"

/* `count` contiguous zeroed pages, aligned to `count` rounded up to a power of two pages, at most
 * 512. NULL when no memory is left. */
MUST_CHECK void *pages_allocate(size_t count);
void pages_free(void *pages, size_t count);
/* Pages handed out and not freed, for the size report and leak tests. */
size_t pages_in_use(void);

/* Of memory returned by pages_allocate() or part of the hypervisor's image. */
uint64_t physical_address(const volatile void *pointer);
/* The inverse, for addresses inside the hypervisor's own pages only; NULL for any other. */
void *virtual_address(uint64_t physical);
