/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own virtual address space (4 levels, every page either writable or executable):
 *
 *   0xffff800000000000  direct map of the hypervisor's own pages (OWNER_HYPERVISOR), RW
 *   0xffff810000000000  device registers and firmware tables, mapped on demand
 *   0xffff820000000000  this core's window into one guest's memory (private to the core)
 *   0xffff830000000000  stacks, each between unmapped guard pages
 *   0xffffffff80000000  the image: text RX, rodata R, data RW; until the guests are started, what
 *                       runs only at boot before these, and among them what this machine has no
 *                       use of
 *
 * Everything but the window is shared by all cores. A core that runs a guest never has another
 * guest's memory mapped.
 */
#pragma once

#include "hypervisor/memory/piece.h"

#define DIRECT_MAP_BASE UINT64_C(0xffff800000000000)
#define DEVICE_MAP_BASE UINT64_C(0xffff810000000000)
#define WINDOW_BASE     UINT64_C(0xffff820000000000)
#define STACK_MAP_BASE  UINT64_C(0xffff830000000000)

/* Maps device registers (uncached). Any alignment; the pages around the range are mapped too. 0
 * when it cannot be mapped. */
MUST_CHECK uintptr_t map_device(uint64_t physical, uint64_t size);

/* True when the address lies in a guard page (the double fault handler says so). */
bool stack_is_guard(uintptr_t address);

/* Shows these pieces, and nothing else, in this core's window: `at` is counted from the window's
 * beginning, which is returned. One guest owns all of them, or the hypervisor; sizes and addresses
 * are multiples of 4 KiB. NULL when they have other owners or cannot be mapped. */
MUST_CHECK void *window_open(const struct memory_piece *pieces, unsigned count);
void window_close(void);
/* Makes a piece of the hypervisor's pages part of the direct map; for memory/pages.c only. */
MUST_CHECK enum status direct_map_add(uint64_t physical, uint64_t size);
/* The core's 4-level root, found from CR3, for the audit. */
uint64_t address_space_root(void);
/* Overwrites and unmaps a part of the image, whole pages, and makes it free memory. On the boot
 * core, before any guest runs. Returns the bytes that are free now; 0: it stays the hypervisor's.
 */
uint64_t address_space_drop(uint64_t physical, uintptr_t address, uint64_t size);
/* The same of the part that runs only at boot. Called once, by resident code; `physical` is where
 * the image lies. */
uint64_t address_space_drop_boot(uint64_t physical);
/* Whether code that stays lies there, or the trampoline that is kept for a core which did not start
 * in time: nothing else may be executable after boot. Bits 47:0 of the address, and what it is
 * mapped to. */
bool address_space_may_execute(uint64_t address, uint64_t physical);
