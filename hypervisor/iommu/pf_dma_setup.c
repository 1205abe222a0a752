/* SPDX-License-Identifier: MIT */
/* Opening and closing what a PF shares with its driver: at boot, when PFs are started. */
#include "hypervisor/iommu/pf_dma.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/iommu/pf_dma_setup.h"
#include "hypervisor/iommu/reserved.h"
#include "hypervisor/iommu/reserved_setup.h"
#include "hypervisor/memory/pages.h"

static enum status open(struct pf_dma *dma, struct pci_function *pf, size_t pages)
{
    enum status status = iommu_domain_create(&dma->domain, OWNER_HYPERVISOR);
    if (status != STATUS_OK)
        return status;
    dma->memory = pages_allocate(pages);
    if (dma->memory == NULL)
        return STATUS_NO_MEMORY;
    dma->pages = pages;
    status = iommu_domain_map(&dma->domain, PF_DMA_BASE, physical_address(dma->memory),
                              pages * PAGE_SIZE, PAGE_READ | PAGE_WRITE);
    if (status == STATUS_OK)
        status = iommu_firmware_move(pf, &dma->domain, PF_DMA_BASE, pages * PAGE_SIZE);
    return status == STATUS_OK ? iommu_connect(pf, &dma->domain) : status;
}

struct pf_dma *pf_dma_open(struct pci_function *pf, size_t pages)
{
    struct pf_dma *dma = NULL;
    for (size_t i = 0; i < PF_DMA_MAX && dma == NULL; i++)
        if (pf_dma_slots[i].function == NULL)
            dma = &pf_dma_slots[i];
    enum status status = STATUS_FULL;
    if (dma != NULL) {
        *dma = (struct pf_dma){.function = pf};
        status = open(dma, pf, pages);
    }
    if (status == STATUS_OK) {
        pci_bus_master(pf, true);
        return dma;
    }
    log_event("iommu.refused", "rid=%s status=%s message=\"no memory could be shared with the PF\"",
              rid_text(pf->rid).text, status_name(status));
    if (dma != NULL)
        pf_dma_close(dma);
    return NULL;
}

void pf_dma_close(struct pf_dma *dma)
{
    pci_bus_master(dma->function, false);
    if (iommu_domain_of(dma->function->rid) == &dma->domain &&
        iommu_disconnect(dma->function, &dma->domain) != STATUS_OK) {
        log_event("iommu.domain",
                  "id=%u rid=%s message=\"the unit did not confirm that the PF is detached; its "
                  "pages stay allocated\"",
                  dma->domain.id, rid_text(dma->function->rid).text);
        return;
    }
    iommu_domain_destroy(&dma->domain);
    if (dma->memory != NULL)
        pages_free(dma->memory, dma->pages);
    struct pci_function *pf = dma->function;
    *dma = (struct pf_dma){.function = NULL};
    iommu_firmware_connect(pf);
}
