/* SPDX-License-Identifier: MIT */
/* Mapping what firmware keeps for a function (RMRR), at boot (vtd_reserved_map.c). */
#pragma once

#include "hypervisor/iommu/domain.h"

/* The regions of a set, identity mapped, read and write. Errors as of iommu_domain_map(). */
MUST_CHECK enum status vtd_regions_map(struct iommu_domain *domain, uint64_t regions);
/* Maps the function's regions in `domain`, which it is about to be connected to, and disconnects it
 * from the domain that it had for them. STATUS_DENIED when a region lies in the
 * `size` bytes from `base` of the domain, which are taken; otherwise errors as of
 * iommu_domain_map() and iommu_disconnect(). */
MUST_CHECK enum status iommu_firmware_move(struct pci_function *function,
                                           struct iommu_domain *domain, uint64_t base,
                                           uint64_t size);
