/* SPDX-License-Identifier: MIT */
/* A unit with scalable mode, and a look at what stands in memory. */
#pragma once

#include "hypervisor/iommu/vtd_queue.h"
#include "tests/labs/checks/vtd_bench.h"

#define SCALABLE_ECAP (MODEL_ECAP | VTD_ECAP_SMTS | VTD_ECAP_SSTS | VTD_ECAP_SMPWC)

static inline uint64_t word_at(uint64_t physical, unsigned word)
{
    return ((const uint64_t *)(uintptr_t)physical)[word];
}

static inline enum status connect(void)
{
    asking("iommu_connect(), which needs it");
    return iommu_connect(function, &domain);
}

static inline enum status disconnect(void)
{
    asking("iommu_disconnect(), which needs it");
    return iommu_disconnect(function, &domain);
}
