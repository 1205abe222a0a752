/* SPDX-License-Identifier: MIT */
/*
 * The functions that firmware uses, while the host owns them: each reaches the memory that firmware
 * keeps for it (RMRR, VT-d 8.4) and no other. setup/iommu_reserved.c has found and mapped it.
 */
#include "hypervisor/iommu/vtd_reserved.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"

struct vtd_reserved vtd_reserved;

bool iommu_region_at(unsigned index, struct iommu_region *region)
{
    if (index >= vtd_reserved.region_count)
        return false;
    *region = vtd_reserved.region[index];
    return true;
}

void iommu_regions_withhold(uint64_t base, uint64_t size)
{
    for (unsigned i = 0; i < vtd_reserved.region_count; i++) {
        const struct iommu_region *region = &vtd_reserved.region[i];
        uint64_t end = MIN(base + size, region->base + region->size);
        for (uint64_t page = MAX(base, region->base); page < end; page += PAGE_SIZE)
            if (frames_transfer(page, PAGE_SIZE, OWNER_NOBODY, OWNER_FIRMWARE) != STATUS_OK)
                continue; /* another region has it already */
    }
}

uint64_t vtd_regions_of(const struct pci_function *function)
{
    const struct vtd_scope *scope = function->is_vf ? NULL : vtd_scope_of(function);
    return scope == NULL ? 0 : scope->regions;
}

bool iommu_region_next(const struct pci_function *function, unsigned *cursor,
                       struct iommu_region *region)
{
    uint64_t regions = vtd_regions_of(function);
    while (*cursor < vtd_reserved.region_count)
        if ((regions & BIT((*cursor)++)) != 0)
            return iommu_region_at(*cursor - 1, region);
    return false;
}

struct iommu_domain *vtd_firmware_domain(uint64_t regions)
{
    for (unsigned i = 0; i < vtd_reserved.domain_count; i++)
        if (vtd_reserved.domain[i].regions == regions)
            return &vtd_reserved.domain[i].domain;
    return NULL;
}

void vtd_firmware_refuse(const struct pci_function *function, enum status status,
                         const char *message)
{
    log_event("iommu.refused",
              "rid=%s status=%s message=\"its DMA to firmware's memory (RMRR) stays blocked: %s\"",
              rid_text(function->rid).text, status_name(status), message);
}

void iommu_firmware_connect(struct pci_function *function)
{
    uint64_t regions = vtd_regions_of(function);
    if (regions == 0 || function->is_bridge || !iommu_enabled() ||
        iommu_domain_of(function->rid) != NULL)
        return;
    if ((regions & vtd_reserved.refused) != 0) {
        vtd_firmware_refuse(function, STATUS_DENIED, "one of its reserved regions was refused");
        return;
    }
    struct iommu_domain *domain = vtd_firmware_domain(regions);
    enum status status = domain == NULL ? STATUS_NOT_FOUND : iommu_connect(function, domain);
    if (status != STATUS_OK) {
        vtd_firmware_refuse(function, status, "it has no domain or no context entry");
        return;
    }
    if (function->firmware_master)
        pci_bus_master(function, true);
    log_event("iommu.firmware",
              "rid=%s domain=%u master=%s message=\"may reach the memory that firmware reserves "
              "for it (RMRR), and nothing else\"",
              rid_text(function->rid).text, (unsigned)domain->id,
              function->firmware_master ? "on" : "off");
}

bool iommu_firmware_connected(rid_t rid)
{
    const struct iommu_domain *domain = iommu_domain_of(rid);
    return domain != NULL && domain->owner == OWNER_FIRMWARE;
}

enum status iommu_firmware_disconnect(struct pci_function *function)
{
    function->firmware_master = false;
    if (!iommu_firmware_connected(function->rid))
        return STATUS_OK;
    return iommu_disconnect(function, iommu_domain_of(function->rid));
}
