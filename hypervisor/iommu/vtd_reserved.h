/* SPDX-License-Identifier: MIT */
/* Firmware's memory (RMRR) as setup/iommu_reserved.c has found it and vtd_reserved.c uses it. */
#pragma once

#include "hypervisor/iommu/reserved.h"
#include "hypervisor/iommu/vtd.h"

#define VTD_MAX_REGIONS          64 /* bits of a set of regions; real tables have at most 8 */
#define VTD_MAX_FIRMWARE_DOMAINS 16

struct vtd_reserved {
    unsigned region_count, domain_count;
    uint64_t refused; /* bit: index into `region` */
    struct iommu_region region[VTD_MAX_REGIONS];
    /* Functions with the same regions share a domain, as ids may be few. */
    struct {
        uint64_t regions; /* bit: index into `region` */
        struct iommu_domain domain;
    } domain[VTD_MAX_FIRMWARE_DOMAINS];
};
extern struct vtd_reserved vtd_reserved;

/* The bits of the regions that are kept for the function; a VF has none: its requester id did not
 * exist when firmware wrote the table. */
uint64_t vtd_regions_of(const struct pci_function *function);
/* The domain that maps exactly these; NULL for none. */
struct iommu_domain *vtd_firmware_domain(uint64_t regions);
/* Logs iommu.refused. */
void vtd_firmware_refuse(const struct pci_function *function, enum status status,
                         const char *message);
