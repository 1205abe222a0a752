/* SPDX-License-Identifier: MIT */
/*
 * Memory that a PF's driver shares with its device. The PF gets a domain of its own that maps this
 * and nothing else (invariant I4); a PF that need not master the bus has no domain.
 */
#pragma once

#include "hypervisor/iommu/domain.h"
#include "hypervisor/iommu/fault.h"

#define PF_DMA_BASE MIB(1) /* where the device sees the first page */

struct pf_dma {
    const struct pci_function *function; /* NULL: the slot is free */
    struct iommu_domain domain;
    uint8_t *memory;
    size_t pages;
};

#define PF_DMA_MAX 8
extern struct pf_dma pf_dma_slots[PF_DMA_MAX];

/* pf_dma_setup.c, at boot. Zeroed pages, mapped for the PF alone; then bus mastering on. The PF
 * must have been reset. NULL, with the reason logged, when there is no memory, no domain or no unit
 * for it. */
MUST_CHECK struct pf_dma *pf_dma_open(const struct pci_function *pf, size_t pages);
/* Bus mastering off, context entry gone, pages freed. Pages that the unit may still let the device
 * reach stay taken. */
void pf_dma_close(struct pf_dma *dma);
/* In use, by number; NULL past the last one. For the audit and the monitor. */
const struct pf_dma *pf_dma_at(unsigned index);
const struct pf_dma *pf_dma_find(rid_t rid);

/* pf_dma_test.c: whether the unit really stops the PF. `provoke` makes the PF, which has been reset
 * and masters the bus now, access the page at `address`, which begins with `content` and lies in no
 * domain. STATUS_OK: the unit recorded it and the page is as it was. STATUS_DENIED: the page
 * changed. STATUS_TIMEOUT: neither, within 200 ms, which shows nothing. STATUS_NO_MEMORY.
 * Afterwards bus mastering is off and the domain is gone; the PF must be reset. Unless the result
 * is STATUS_OK the page stays taken: the access may still be under way. `others` is given each
 * fault that is not the PF's. */
MUST_CHECK enum status pf_dma_test(const struct pci_function *pf, const void *content, size_t size,
                                   void (*provoke)(void *context, uint64_t address), void *context,
                                   void (*others)(const struct iommu_fault *fault));
