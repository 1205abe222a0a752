/* SPDX-License-Identifier: MIT */
/* Memory that firmware keeps for its own DMA (RMRR, VT-d 8.4), and the functions that use it. */
#pragma once

#include "hypervisor/iommu/iommu.h"

struct iommu_region {
    uint64_t base, size; /* whole pages; size 0: firmware's values could not be used at all */
    char refusal[IOMMU_REFUSAL_SIZE]; /* why it is mapped for nobody, or "" */
};

/* What of this memory, which the hypervisor has just given up, lies in a region becomes firmware's;
 * the rest stays free. */
void iommu_regions_withhold(uint64_t base, uint64_t size);
/* Region `index` of all; false past the last. */
bool iommu_region_at(unsigned index, struct iommu_region *region);
/* The function's regions one by one, from *cursor = 0; false past its last. VFs have none. */
bool iommu_region_next(const struct pci_function *function, unsigned *cursor,
                       struct iommu_region *region);
/* The host's function gets at its regions, identity mapped, and at nothing else. Does nothing when
 * it has none or is connected already; logs iommu.firmware, or why its DMA stays blocked. */
void iommu_firmware_connect(struct pci_function *function);
/* Ends that, for the function's next owner: it has just been reset, so that firmware's bus
 * mastering is not given back later. Errors as of iommu_disconnect(). */
MUST_CHECK enum status iommu_firmware_disconnect(struct pci_function *function);
bool iommu_firmware_connected(rid_t rid);
