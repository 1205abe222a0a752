/* SPDX-License-Identifier: MIT */
/* Requests that the units blocked (VT-d 7). */
#pragma once

#include "hypervisor/pci/function.h"

struct iommu_fault {
    rid_t rid;
    uint64_t address; /* of the access, page aligned; of an interrupt: the IRTE index */
    bool interrupt;   /* an interrupt request, not DMA */
    bool write;
    uint8_t reason; /* VT-d fault reason code */
    bool overflow;  /* further faults were lost around this one */
};
/* The manual's meaning in words (VT-d annex: fault reasons). Never NULL. */
const char *iommu_fault_reason(uint8_t reason);
/* Takes the next record out of the units' registers. False at the end of a pass over all registers,
 * which comes even while faults go on; without a fault interrupt a pass begins every 20 ms only. */
bool iommu_fault_next(struct iommu_fault *fault);
/* Suppresses (or allows) recording for one function: FPD in its context entry. */
void iommu_fault_reporting(const struct pci_function *function, bool on);
