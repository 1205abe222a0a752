/* SPDX-License-Identifier: MIT */
/* Firmware may claim that a unit covers a device which it does not see. Only the device's own DMA
 * can tell: one that must be stopped is tried before any of its VFs is given away. */
#include "hypervisor/iommu/pf_dma.h"

#include "hypervisor/base/string.h"
#include "hypervisor/iommu/pf_dma_setup.h"
#include "hypervisor/memory/pages.h"

#define FAULT_TIME MILLISECONDS(200)

static bool recorded(rid_t rid, uint64_t address, void (*others)(const struct iommu_fault *fault))
{
    bool found = false;
    struct iommu_fault fault;
    while (iommu_fault_next(&fault)) {
        if (fault.rid == rid && !fault.interrupt && fault.address == address)
            found = true;
        else
            others(&fault);
    }
    return found;
}

enum status pf_dma_test(struct pci_function *pf, const void *content, size_t size,
                        void (*provoke)(void *context, uint64_t address), void *context,
                        void (*others)(const struct iommu_fault *fault))
{
    uint8_t *page = pages_allocate(1);
    struct pf_dma *dma = page != NULL && size <= PAGE_SIZE ? pf_dma_open(pf, 1) : NULL;
    if (dma == NULL) {
        if (page != NULL)
            pages_free(page, 1);
        return STATUS_NO_MEMORY;
    }
    memcpy(page, content, size);
    uint64_t address = physical_address(page);
    provoke(context, address);
    bool seen = WAIT_UNTIL(recorded(pf->rid, address, others), FAULT_TIME);
    pf_dma_close(dma);
    seen = recorded(pf->rid, address, others) || seen;
    bool changed = memcmp(page, content, size) != 0;
    for (size_t i = size; i < PAGE_SIZE; i++)
        changed = changed || page[i] != 0;
    enum status status = changed ? STATUS_DENIED : seen ? STATUS_OK : STATUS_TIMEOUT;
    /* Without bus mastering the PF begins nothing, but what it began may still arrive. */
    if (status == STATUS_OK)
        pages_free(page, 1);
    return status;
}
