/*
 * The hypervisor's own virtual address space (4 levels, every page either writable or executable):
 *
 *   0xffff800000000000  direct map of the hypervisor's own pages (OWNER_HYPERVISOR), RW
 *   0xffff810000000000  device registers and firmware tables, mapped on demand
 *   0xffff820000000000  this core's window into one guest's memory (private to the core)
 *   0xffff830000000000  stacks, each between unmapped guard pages
 *   0xffffffff80000000  the image: text RX, rodata R, data RW
 *
 * Everything but the window is shared by all cores. A core that runs a guest never has another
 * guest's memory mapped.
 */
#pragma once

#include "boot/boot_info.h"
#include "hypervisor/base/core.h"

#define DIRECT_MAP_BASE UINT64_C(0xffff800000000000)
#define DEVICE_MAP_BASE UINT64_C(0xffff810000000000)
#define WINDOW_BASE     UINT64_C(0xffff820000000000)
#define STACK_MAP_BASE  UINT64_C(0xffff830000000000)
#define IMAGE_BASE      UINT64_C(0xffffffff80000000)

/* Builds the tables from the image's own layout and switches the boot core to them; the loader's
 * identity map is gone afterwards. frames_init() comes first. */
MUST_CHECK enum status address_space_init(const struct boot_info *boot);
/* Creates the page-table root of another core and returns its physical address (0: no memory). */
uint64_t address_space_create_core(unsigned core);

/* Maps device registers (uncached) or firmware memory (cached, read-only). Any alignment; the
 * pages around the range are mapped too. 0 when it cannot be mapped. */
MUST_CHECK uintptr_t map_device(uint64_t physical, uint64_t size);
MUST_CHECK const void *map_firmware(uint64_t physical, uint64_t size);
void unmap(uintptr_t address, uint64_t size);

/* A stack of `pages` pages between guard pages; returns its top. 0: no memory. */
MUST_CHECK uintptr_t stack_create(size_t pages);
/* True when the address lies in a guard page (the double fault handler says so). */
bool stack_is_guard(uintptr_t address);

/* Points this core's window at guest memory [physical, physical + size); replaces what it showed
 * before. Returns its virtual address, 0 when it cannot be mapped. */
MUST_CHECK void *window_open(uint64_t physical, uint64_t size);
void window_close(void);
/* The core's own root, for the audit. */
uint64_t address_space_root(void);
