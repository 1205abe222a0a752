/* SPDX-License-Identifier: MIT */
/*
 * Memory that a PF's driver shares with its device. The PF gets a domain of its own that maps this
 * and what firmware keeps for the PF (RMRR), and nothing else (invariant I4); a PF that need not
 * master the bus has no domain.
 */
#pragma once

#include "hypervisor/iommu/domain.h"
#include "hypervisor/iommu/fault.h"

#define PF_DMA_BASE MIB(1) /* where the device sees the first page */

struct pf_dma {
    struct pci_function *function; /* NULL: the slot is free */
    struct iommu_domain domain;
    uint8_t *memory;
    size_t pages;
};

#define PF_DMA_MAX 8
extern struct pf_dma pf_dma_slots[PF_DMA_MAX];

/* In use, by number; NULL past the last one. For the audit and the monitor. */
const struct pf_dma *pf_dma_at(unsigned index);
const struct pf_dma *pf_dma_find(rid_t rid);
