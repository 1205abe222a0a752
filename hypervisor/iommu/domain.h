/* SPDX-License-Identifier: MIT */
/* DMA domains, and the functions that are connected to them. */
#pragma once

#include "hypervisor/memory/page_table.h"
#include "hypervisor/pci/function.h"

struct iommu_domain {
    uint16_t id; /* VT-d domain id, never 0 */
    owner_t owner;
    struct page_table table;
    unsigned functions; /* connected */
};

MUST_CHECK enum status iommu_domain_create(struct iommu_domain *domain, owner_t owner);
/* No function may be connected any more; a domain that has one is kept, and that is logged. */
void iommu_domain_destroy(struct iommu_domain *domain);
/* RAM only: PAGE_DEVICE and whatever overlaps 0xFEE00000-0xFEEFFFFF on either side is
 * STATUS_DENIED; STATUS_INVALID beyond the units' address width. Used before functions are
 * connected; invalidates otherwise. When memory runs out nothing of the range stays mapped. */
MUST_CHECK enum status iommu_domain_map(struct iommu_domain *domain, uint64_t address,
                                        uint64_t physical, uint64_t size, unsigned rights);
MUST_CHECK enum status iommu_domain_unmap(struct iommu_domain *domain, uint64_t address,
                                          uint64_t size);

/* One context entry written, one device-selective context invalidation, one domain-selective IOTLB
 * invalidation, one wait. STATUS_NOT_FOUND: no unit covers the function (it stays blocked);
 * STATUS_UNSUPPORTED: its unit was refused; STATUS_DENIED: it shares its requester id with others
 * (conventional PCI); STATUS_BUSY: connected already.
 * STATUS_TIMEOUT, STATUS_DEVICE: the unit does not invalidate any more; the entry is gone but may
 * still be cached, so the function stays on the domain's books and the domain's memory must not be
 * given to anybody else. */
MUST_CHECK enum status iommu_connect(const struct pci_function *function,
                                     struct iommu_domain *domain);
MUST_CHECK enum status iommu_disconnect(const struct pci_function *function,
                                        struct iommu_domain *domain);
/* Takes away whatever context entries the requester id has in the units of its segment, on record
 * or not: for one that nobody may have let through. False when a unit may still hold one in its
 * caches. A domain on record for it keeps its memory. */
bool iommu_block(rid_t rid);
/* The domain a RID is connected to, NULL when blocked. */
struct iommu_domain *iommu_domain_of(rid_t rid);
