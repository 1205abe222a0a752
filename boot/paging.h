/* SPDX-License-Identifier: MIT */
/*
 * The page tables that the loaders hand over (4 levels; Intel SDM volume 3, 4.5). The hypervisor
 * replaces them by its own: only what boot_info.h promises is here.
 */
#pragma once

#include "hypervisor/base/core.h"

#define PAGING_PRESENT BIT(0)
#define PAGING_WRITE   BIT(1)
#define PAGING_LARGE   BIT(7)
#define PAGING_NX      BIT(63)
#define PAGING_ADDRESS BITS(51, 12)

/* 4 levels map so many bytes from 0 on. */
#define PAGING_IDENTITY_LIMIT BIT(47)

#define PAGING_RX (PAGING_PRESENT)
#define PAGING_R  (PAGING_PRESENT | PAGING_NX)
#define PAGING_RW (PAGING_PRESENT | PAGING_WRITE | PAGING_NX)

struct paging {
    uint64_t root;                   /* physical address of the PML4, identity-mapped */
    bool gigabyte_pages;             /* CPUID 0x80000001 EDX[26] */
    uint64_t (*page)(void *context); /* one zeroed page below 4 GiB, or 0 */
    void *context;
};

/* CPUID's word on 1 GiB pages and on NX, for the caller's checks. */
bool paging_has_gigabyte_pages(void);
bool paging_has_nx(void);

/* Whether these tables map the page of an address to itself. `levels`: 4 or 5. */
bool paging_maps_to_itself(uint64_t root, unsigned levels, uint64_t address);
/* The same of the tables in use: registers that firmware, or a loader, may not have mapped. */
bool paging_reaches(uint64_t address);

/* Maps 4 KiB pages at `virtual` to `physical` with the rights (PAGING_RX, _R or _RW), over whatever
 * was there; a large page in the way is split. Addresses and size are multiples of 4 KiB.
 * False when a page for a table is not to be had. */
MUST_CHECK bool paging_map(struct paging *paging, uint64_t virtual, uint64_t physical,
                           uint64_t size, uint64_t rights);

/* Maps [base, base + size) to itself, RW and not executable, grown to 2 MiB (or 1 GiB) pages.
 * What is mapped already stays as it is. */
MUST_CHECK bool paging_map_identity(struct paging *paging, uint64_t base, uint64_t size);
