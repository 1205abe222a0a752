/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/pci_bars.h"

#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/setup/pci_known.h"

#define CLASS_HOST_BRIDGE 0x0600

/* Writes all ones, reads the mask and puts the old value back. */
static uint32_t probe(rid_t rid, unsigned offset, uint32_t original)
{
    pci_config_write(rid, offset, 4, 0xffffffff);
    uint32_t mask = pci_read32(rid, offset);
    pci_config_write(rid, offset, 4, original);
    return mask;
}

/* The size that a mask of writable address bits stands for: its lowest one bit. 0 if the bits above
 * it are not all ones up to `top`, which no decoder produces. */
static uint64_t size_of_mask(uint64_t mask, uint64_t top)
{
    if (mask == 0)
        return 0;
    uint64_t size = mask & -mask;
    return (mask | (size - 1)) == top ? size : 0;
}

static bool read_one(rid_t rid, unsigned offset, bool has_next, struct pci_bar *bar)
{
    uint32_t low = pci_read32(rid, offset);
    uint32_t mask = probe(rid, offset, low);
    if ((mask & PCI_BAR_IO) != 0) {
        bar->io = true;
        bar->base = low & ~PCI_BAR_IO_FLAGS;
        /* The upper 16 bits need not be implemented. */
        uint32_t writable = mask & (uint32_t)~PCI_BAR_IO_FLAGS;
        bar->size = size_of_mask((writable & 0xffff0000) != 0 ? writable : writable | 0xffff0000,
                                 0xffffffff);
        if (writable == 0)
            bar->size = 0;
        return false;
    }
    bar->prefetchable = (mask & PCI_BAR_PREFETCH) != 0;
    bar->base = low & ~(uint64_t)PCI_BAR_MEM_FLAGS;
    uint64_t writable = mask & ~(uint64_t)PCI_BAR_MEM_FLAGS;
    if ((mask & PCI_BAR_TYPE_MASK) == 0) {
        bar->size = size_of_mask(writable, 0xffffffff);
        return false;
    }
    if ((mask & PCI_BAR_TYPE_MASK) != PCI_BAR_TYPE_64 || !has_next)
        return false; /* reserved, "below 1 MiB", or an upper half that does not exist */
    uint32_t high = pci_read32(rid, offset + 4);
    uint32_t high_mask = probe(rid, offset + 4, high);
    bar->is_64bit = true;
    bar->base |= (uint64_t)high << 32;
    bar->size = size_of_mask(writable | (uint64_t)high_mask << 32, UINT64_MAX);
    return true;
}

void pci_bars_size(rid_t rid, unsigned offset, unsigned count, struct pci_bar bar[])
{
    for (unsigned i = 0; i < count; i++)
        bar[i] = (struct pci_bar){0};
    for (unsigned i = 0; i < count; i++) {
        bool pair = read_one(rid, offset + 4 * i, i + 1 < count, &bar[i]);
        if (bar[i].size == 0 || bar[i].base > UINT64_MAX - bar[i].size)
            bar[i] = (struct pci_bar){0};
        if (pair)
            i++;
    }
}

static bool has_no_bars(const struct pci_function *function)
{
    return (pci_known(function) & PCI_KNOWN_NO_BARS) != 0;
}

void pci_bars_look(struct pci_function *function)
{
    unsigned count =
        function->header_type == PCI_HEADER_ENDPOINT && !has_no_bars(function) ? PCI_BARS : 0;
    for (unsigned i = 0; i < count; i++) {
        struct pci_bar bar = {0};
        uint32_t low = pci_read32(function->rid, PCI_BAR0 + 4 * i);
        if ((low & PCI_BAR_IO) != 0)
            continue;
        bar.prefetchable = (low & PCI_BAR_PREFETCH) != 0;
        bar.is_64bit = (low & PCI_BAR_TYPE_MASK) == PCI_BAR_TYPE_64 && i + 1 < count;
        bar.base = low & ~(uint64_t)PCI_BAR_MEM_FLAGS;
        if (bar.is_64bit)
            bar.base |= (uint64_t)pci_read32(function->rid, PCI_BAR0 + 4 * i + 4) << 32;
        bar.size = MIN(bar.base & -bar.base, PAGE_SIZE); /* 0 without a base */
        if (bar.size != 0 && bar.base <= UINT64_MAX - bar.size)
            function->bar[i] = bar;
        i += bar.is_64bit;
    }
}

void pci_bars_read(struct pci_function *function)
{
    unsigned count = function->header_type == PCI_HEADER_ENDPOINT ? PCI_BARS
                     : function->header_type == PCI_HEADER_BRIDGE ? 2
                                                                  : 0;
    if (has_no_bars(function))
        count = 0;
    rid_t rid = function->rid;
    uint16_t command = pci_read16(rid, PCI_COMMAND);
    uint16_t decode = (uint16_t)(PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
    /* A host bridge's decoding is how the core reaches RAM on some chipsets. */
    bool switch_off =
        count != 0 && function->class_code >> 8 != CLASS_HOST_BRIDGE && (command & decode) != 0;
    if (switch_off)
        pci_config_write(rid, PCI_COMMAND, 2, command & (uint32_t)~decode);
    pci_bars_size(rid, PCI_BAR0, count, function->bar);
    if (switch_off)
        pci_config_write(rid, PCI_COMMAND, 2, command);
}

void pci_bar_write(rid_t rid, unsigned offset, const struct pci_bar *bar, uint64_t base)
{
    pci_config_write(rid, offset, 4, (uint32_t)base);
    if (bar->is_64bit)
        pci_config_write(rid, offset + 4, 4, (uint32_t)(base >> 32));
}
