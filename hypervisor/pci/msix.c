/* SPDX-License-Identifier: MIT */
/* MSI-X (PCIe 7.7.2, 6.1.4). The layout decides which pages a guest never gets mapped. */
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/msix.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"

static bool inside_bar(const struct pci_function *function, unsigned bar, uint64_t offset,
                       uint64_t size)
{
    if (bar >= PCI_BARS)
        return false;
    const struct pci_bar *b = &function->bar[bar];
    return !b->io && b->size >= size && offset <= b->size - size;
}

static enum status refuse(const struct pci_function *function, unsigned offset, uint32_t value,
                          const char *message)
{
    log_event("msix.refused", "rid=%s offset=%#x value=%#x message=\"%s\"",
              rid_text(function->rid).text, function->cap_msix + offset, value, message);
    return STATUS_INVALID;
}

enum status msix_layout_read(const struct pci_function *function, struct msix_layout *layout)
{
    if (function->cap_msix == 0)
        return STATUS_NOT_FOUND;
    uint16_t control = pci_read16(function->rid, function->cap_msix + MSIX_CONTROL);
    uint32_t table = pci_read32(function->rid, function->cap_msix + MSIX_TABLE);
    uint32_t pba = pci_read32(function->rid, function->cap_msix + MSIX_PBA);
    *layout = (struct msix_layout){
        .vectors = (uint16_t)((control & 0x7ff) + 1),
        .table_bar = table & 7,
        .pba_bar = pba & 7,
        .table_offset = table & ~7u,
        .pba_offset = pba & ~7u,
    };
    uint64_t table_size = (uint64_t)layout->vectors * MSIX_ENTRY_SIZE;
    uint64_t pba_size = ALIGN_UP(layout->vectors, UINT64_C(64)) / 8;
    if (!inside_bar(function, layout->table_bar, layout->table_offset, table_size))
        return refuse(function, MSIX_TABLE, table,
                      "the table is not inside a memory BAR; the device cannot be given away");
    if (!inside_bar(function, layout->pba_bar, layout->pba_offset, pba_size))
        return refuse(
            function, MSIX_PBA, pba,
            "the pending bits are not inside a memory BAR; the device cannot be given away");
    if (layout->table_bar == layout->pba_bar &&
        layout->table_offset < layout->pba_offset + pba_size &&
        layout->pba_offset < layout->table_offset + table_size)
        return refuse(function, MSIX_PBA, pba,
                      "table and pending bits overlap; the device cannot be given away");
    return STATUS_OK;
}

void msix_enable(const struct pci_function *function, bool enable, bool mask_all)
{
    if (function->cap_msix == 0)
        return;
    pci_update16(function->rid, function->cap_msix + MSIX_CONTROL,
                 MSIX_CONTROL_ENABLE | MSIX_CONTROL_MASK,
                 (enable ? MSIX_CONTROL_ENABLE : 0) | (mask_all ? MSIX_CONTROL_MASK : 0));
}
