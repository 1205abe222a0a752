/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/pci_ram.h"

#include "hypervisor/memory/frames.h"

bool pci_overlaps_ram(uint64_t base, uint64_t size)
{
    const struct frame_range *range;
    for (size_t i = 0; (range = frames_range(i)) != NULL; i++) {
        bool ram = range->owner == OWNER_NOBODY || range->owner == OWNER_HYPERVISOR ||
                   range->owner == OWNER_LOADER;
        if (ram && range->base < base + size && base < range->base + range->size)
            return true;
    }
    return false;
}
