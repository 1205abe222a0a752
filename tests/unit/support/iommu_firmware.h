/* SPDX-License-Identifier: MIT */
/* For PFs whose memory firmware does not know: what it would have of them is not asked for. */
#pragma once

#include "hypervisor/iommu/reserved.h"
#include "hypervisor/iommu/reserved_setup.h"

enum status iommu_firmware_move(struct pci_function *function, struct iommu_domain *domain,
                                uint64_t base, uint64_t size)
{
    return STATUS_OK;
}

void iommu_firmware_connect(struct pci_function *function)
{
}
