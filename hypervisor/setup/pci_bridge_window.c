/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/pci_bridge_window.h"

#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/pci/function.h"

#define PREFETCH_64BIT 0x1u
#define GRANULE_MASK   0xfff0u

void bridge_window_read(const struct pci_function *bridge, bool prefetchable,
                        struct bridge_window *window)
{
    rid_t rid = bridge->rid;
    uint16_t base = pci_read16(rid, prefetchable ? PCI_PREFETCH_BASE : PCI_MEMORY_BASE);
    uint16_t limit = pci_read16(rid, prefetchable ? PCI_PREFETCH_LIMIT : PCI_MEMORY_LIMIT);
    *window = (struct bridge_window){
        .base = (uint64_t)(base & GRANULE_MASK) << 16,
        .limit = (uint64_t)(limit & GRANULE_MASK) << 16 | 0xfffff,
        .is_64bit = prefetchable && (base & 0xf) == PREFETCH_64BIT,
    };
    if (window->is_64bit) {
        window->base |= (uint64_t)pci_read32(rid, PCI_PREFETCH_BASE_UPPER) << 32;
        window->limit |= (uint64_t)pci_read32(rid, PCI_PREFETCH_LIMIT_UPPER) << 32;
    }
    /* Registers that are not implemented read 0 and look like a window over the first megabyte,
     * which is never PCI memory. */
    window->enabled = window->base <= window->limit && window->base != 0;
}

static void write_registers(rid_t rid, bool prefetchable, const struct bridge_window *old,
                            uint64_t base, uint64_t limit)
{
    unsigned base_offset = prefetchable ? PCI_PREFETCH_BASE : PCI_MEMORY_BASE;
    unsigned limit_offset = prefetchable ? PCI_PREFETCH_LIMIT : PCI_MEMORY_LIMIT;
    if (old->is_64bit &&
        (!old->enabled || old->base >> 32 != base >> 32 || old->limit >> 32 != limit >> 32)) {
        /* Closed (base above limit) while the halves disagree. */
        pci_config_write(rid, limit_offset, 2, 0);
        pci_config_write(rid, base_offset, 2, GRANULE_MASK);
        pci_config_write(rid, PCI_PREFETCH_BASE_UPPER, 4, (uint32_t)(base >> 32));
        pci_config_write(rid, PCI_PREFETCH_LIMIT_UPPER, 4, (uint32_t)(limit >> 32));
    }
    pci_config_write(rid, base_offset, 2, (uint32_t)(base >> 16) & GRANULE_MASK);
    pci_config_write(rid, limit_offset, 2, (uint32_t)(limit >> 16) & GRANULE_MASK);
}

enum status bridge_window_write(const struct pci_function *bridge, bool prefetchable, uint64_t base,
                                uint64_t limit)
{
    struct bridge_window window;
    bridge_window_read(bridge, prefetchable, &window);
    if (limit > 0xffffffff && !window.is_64bit)
        return STATUS_UNSUPPORTED;
    write_registers(bridge->rid, prefetchable, &window, base, limit);
    bridge_window_read(bridge, prefetchable, &window);
    return window.enabled && window.base == base && window.limit == limit ? STATUS_OK
                                                                          : STATUS_UNSUPPORTED;
}

void bridge_window_restore(const struct pci_function *bridge, bool prefetchable,
                           const struct bridge_window *window)
{
    write_registers(bridge->rid, prefetchable, window, window->base, window->limit);
}
