/* SPDX-License-Identifier: MIT */
/* Configuration space by memory-mapped access (PCIe 7.2.2). */
#include "hypervisor/pci/config_access.h"

#include "hypervisor/base/mmio.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/ecam.h"

struct ecam_windows ecam;

/* The address of a register, 0 when it does not exist. */
static uintptr_t locate(rid_t rid, unsigned offset, unsigned width)
{
    bool width_ok = width == 1 || width == 2 || width == 4;
    if (!width_ok || offset >= PCI_CONFIG_SIZE || !IS_ALIGNED(offset, width))
        return 0;
    for (size_t i = 0; i < ecam.count; i++) {
        const struct ecam_window *window = &ecam.window[i];
        uint8_t bus = RID_BUS(rid);
        if (window->segment == RID_SEGMENT(rid) && bus >= window->first && bus <= window->last)
            return window->address + ((uintptr_t)(bus - window->first) << ECAM_BUS_SHIFT) +
                   ((uintptr_t)(rid & 0xff) << PAGE_SHIFT) + offset;
    }
    return 0;
}

uint32_t pci_config_read(rid_t rid, unsigned offset, unsigned width)
{
    uintptr_t address = locate(rid, offset, width);
    if (address == 0)
        return width == 1 ? 0xff : width == 2 ? 0xffff : 0xffffffff;
    return (uint32_t)mmio_read(address, width);
}

void pci_config_write(rid_t rid, unsigned offset, unsigned width, uint32_t value)
{
    uintptr_t address = locate(rid, offset, width);
    if (address != 0)
        mmio_write(address, width, value);
}
