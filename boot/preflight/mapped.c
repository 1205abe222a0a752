/* SPDX-License-Identifier: MIT */
/*
 * Reading what may not be there while the firmware's exception handlers, which end in a dead loop,
 * are in charge: an address is looked up in the page tables that are in force before it is touched.
 */
#include "boot/preflight/preflight.h"

#define PRESENT   BIT(0)
#define LARGE     BIT(7)
#define ADDRESS   BITS(51, 12)
#define MAX_STEPS (1u << 20)

/* Bytes from `address` to the end of the page it is in, when that maps it to itself; else 0. */
static uint64_t mapped(uint64_t root, unsigned levels, uint64_t address,
                       uint64_t (*read_entry)(uint64_t table, unsigned index))
{
    uint64_t table = root & ADDRESS;
    for (unsigned level = levels; level > 0; level--) {
        unsigned shift = 12 + 9 * (level - 1);
        uint64_t size = UINT64_C(1) << shift;
        uint64_t entry = read_entry(table, (unsigned)(address >> shift & 511));
        if ((entry & PRESENT) == 0)
            return 0;
        if (level == 1 || ((entry & LARGE) != 0 && level <= 3)) {
            uint64_t base = entry & ADDRESS & ~(size - 1);
            return base == ALIGN_DOWN(address, size) ? size - (address & (size - 1)) : 0;
        }
        table = entry & ADDRESS;
    }
    return 0;
}

bool preflight_mapped(uint64_t root, unsigned levels, uint64_t address, uint64_t size,
                      uint64_t (*entry)(uint64_t table, unsigned index))
{
    /* Higher ones are not an identity mapping: the upper half is not canonical, or beyond the
     * processor. */
    const uint64_t limit = UINT64_C(1) << (12 + 9 * levels - 1);
    if (size == 0 || size > limit || address > limit - size)
        return false;
    uint64_t end = address + size;
    for (unsigned step = 0; step < MAX_STEPS && address < end; step++) {
        uint64_t bytes = mapped(root, levels, address, entry);
        if (bytes == 0)
            return false;
        address = bytes > end - address ? end : address + bytes;
    }
    return address >= end;
}
