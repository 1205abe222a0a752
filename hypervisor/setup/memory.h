/* SPDX-License-Identifier: MIT */
/* Memory at boot: the table of frames, the hypervisor's own address space. */
#pragma once

#include "boot/boot_info.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/frames.h"

/* --- frames.c --- */

/* Builds the table from the loader's memory map. Sorts, clips overlaps in favour of the more
 * protected type, ignores empty ranges; never takes the first 1 MiB for general use. */
MUST_CHECK enum status frames_init(const struct boot_info *boot);

/* Takes one page of usable memory below 1 MiB (the SMP trampoline). */
MUST_CHECK enum status frames_claim_low_page(uint64_t *base);
/* The largest piece of free RAM in [from, limit) that begins at a multiple of `alignment` (a power
 * of two, 4 KiB or more), in bytes and a multiple of 2 MiB, at most `wanted`; 0: there is none. Of
 * several the highest. frames_transfer() takes it. */
uint64_t frames_largest(uint64_t from, uint64_t limit, uint64_t alignment, uint64_t wanted,
                        uint64_t *base);
/* Gives `to` whatever of the range belongs to an owner whose bit, BIT(owner), is in `from`; the
 * rest keeps its owners. STATUS_FULL: the table has no room, and some of it has changed hands. */
MUST_CHECK enum status frames_take(uint64_t base, uint64_t size, uint32_t from, owner_t to);
/* Bytes that `owner` holds. */
uint64_t frames_bytes(owner_t owner);
/* Gives every range of `owner` back to OWNER_NOBODY (RAM only; the caller has scrubbed it). */
void frames_release_all(owner_t owner);

/* --- pages.c: for address_space.c only --- */

/* Where the image lies, and the first chunk. STATUS_NO_MEMORY. */
MUST_CHECK enum status pages_init(uint64_t image_physical, uintptr_t image_virtual,
                                  uint64_t image_size);
/* From here on pages are addressed through the direct map. */
void pages_use_direct_map(void);
/* Physical address of the chunk (PAGE_2M bytes) with this number; 0 past the last one. */
uint64_t pages_chunk(size_t index);

/* --- address_space.c --- */

/* Of a physical address of this processor. */
unsigned physical_address_bits(void);

/* Builds the tables from the image's own layout and switches the boot core to them; the loader's
 * identity map is gone afterwards, and with it `boot`, its modules and the loader's descriptor
 * tables: copy or map_firmware() what is needed later, and load no segment before own descriptor
 * tables are there. frames_init() comes before. */
MUST_CHECK enum status address_space_init(const struct boot_info *boot);
/* Creates the page-table root of another core and returns its physical address, which is below
 * 4 GiB (0: no memory). It is a 4-level root whatever the boot core uses. */
uint64_t address_space_create_core(unsigned core);
/* Pages that the tables of open windows take, on all cores: these come and go. */
size_t address_space_window_pages(void);

/* Maps the page of the SMP trampoline at its own address in all cores' tables, readable and
 * executable, for the moment at which a starting core turns paging on. Fill it before
 * (window_open()) and take the mapping away once all cores are up. */
MUST_CHECK enum status trampoline_map(uint64_t physical);
void trampoline_unmap(uint64_t physical);

/* A stack of `pages` pages between guard pages; returns its top. 0: no memory. */
MUST_CHECK uintptr_t stack_create(size_t pages);
