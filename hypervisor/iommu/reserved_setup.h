/* SPDX-License-Identifier: MIT */
/* Mapping what firmware keeps for a function (RMRR), at boot (vtd_reserved_map.c). */
#pragma once

#include "hypervisor/iommu/domain.h"

/* The regions of a set, identity mapped, read and write. Errors as of iommu_domain_map(). */
MUST_CHECK enum status vtd_regions_map(struct iommu_domain *domain, uint64_t regions);
/* The function, which is about to be connected to `domain`, gets at
 * its regions there, and what connected it before is gone. STATUS_DENIED when a region lies in the
 * `size` bytes from `base` of the domain, which are taken; otherwise errors as of
 * iommu_domain_map() and iommu_disconnect(). */
MUST_CHECK enum status iommu_firmware_move(struct pci_function *function,
                                           struct iommu_domain *domain, uint64_t base,
                                           uint64_t size);
