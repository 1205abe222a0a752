/* SPDX-License-Identifier: MIT */
/* Memory that firmware keeps for a function (RMRR), in a domain that the function is connected to.
 * At boot only. */
#include "hypervisor/iommu/reserved_setup.h"
#include "hypervisor/iommu/vtd_reserved.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"

/* In rising order, so that what several regions cover is mapped once. */
enum status vtd_regions_map(struct iommu_domain *domain, uint64_t regions)
{
    for (uint64_t at = 0;;) {
        uint64_t start = UINT64_MAX, end = 0;
        for (unsigned i = 0; i < vtd_reserved.region_count; i++) {
            const struct iommu_region *region = &vtd_reserved.region[i];
            uint64_t region_end = region->base + region->size;
            if ((regions & BIT(i)) != 0 && region_end > at && MAX(region->base, at) < start) {
                start = MAX(region->base, at);
                end = region_end;
            }
        }
        if (start == UINT64_MAX)
            return STATUS_OK;
        enum status status =
            iommu_domain_map(domain, start, start, end - start, PAGE_READ | PAGE_WRITE);
        if (status != STATUS_OK)
            return status;
        at = end;
    }
}

static bool meet(uint64_t regions, uint64_t base, uint64_t size)
{
    for (unsigned i = 0; i < vtd_reserved.region_count; i++) {
        const struct iommu_region *region = &vtd_reserved.region[i];
        if ((regions & BIT(i)) != 0 && region->base < base + size &&
            base < region->base + region->size)
            return true;
    }
    return false;
}

enum status iommu_firmware_move(struct pci_function *function, struct iommu_domain *domain,
                                uint64_t base, uint64_t size)
{
    uint64_t regions = vtd_regions_of(function) & ~vtd_reserved.refused;
    if (regions == 0)
        return STATUS_OK;
    if (meet(regions, base, size)) {
        log_event(
            "iommu.refused",
            "rid=%s base=%#lx size=%s message=\"firmware keeps memory for it (RMRR) where its "
            "driver's pages would be seen; use another slot, or switch off in the firmware "
            "set-up what uses it\"",
            rid_text(function->rid).text, base, size_text(size).text);
        return STATUS_DENIED;
    }
    enum status status = vtd_regions_map(domain, regions);
    if (status == STATUS_OK)
        status = iommu_firmware_disconnect(function);
    if (status == STATUS_OK)
        log_event("iommu.firmware",
                  "rid=%s domain=%u master=on message=\"the PF's own domain maps the memory that "
                  "firmware reserves for it (RMRR), and what its driver shares with it\"",
                  rid_text(function->rid).text, (unsigned)domain->id);
    return status;
}
