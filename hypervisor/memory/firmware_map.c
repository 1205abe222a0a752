/* SPDX-License-Identifier: MIT */
#include "hypervisor/memory/firmware_map.h"

#include "hypervisor/memory/address_space_internal.h"

const void *map_firmware(uint64_t physical, uint64_t size)
{
    return (const void *)address_space_map_on_demand(physical, size, PAGE_READ);
}

void unmap(uintptr_t address, uint64_t size)
{
    if (address < DEVICE_MAP_BASE || address >= address_space.next_device ||
        size > address_space.next_device - address)
        return;
    uint64_t first = ALIGN_DOWN(address, PAGE_SIZE);
    address_space_unmap(first, ALIGN_UP(address + size, PAGE_SIZE) - first);
}
