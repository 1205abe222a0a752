/* SPDX-License-Identifier: MIT */
#include "hypervisor/iommu/pf_dma.h"

struct pf_dma pf_dma_slots[PF_DMA_MAX];

const struct pf_dma *pf_dma_at(unsigned index)
{
    for (size_t i = 0; i < PF_DMA_MAX; i++)
        if (pf_dma_slots[i].function != NULL && index-- == 0)
            return &pf_dma_slots[i];
    return NULL;
}

const struct pf_dma *pf_dma_find(rid_t rid)
{
    const struct pf_dma *dma;
    for (unsigned i = 0; (dma = pf_dma_at(i)) != NULL; i++)
        if (dma->function->rid == rid)
            return dma;
    return NULL;
}
