/* SPDX-License-Identifier: MIT */
/* A domain that nobody has used yet is given back: at boot only. */
#include "hypervisor/iommu/vtd.h"

#include "hypervisor/base/log.h"

void iommu_domain_destroy(struct iommu_domain *domain)
{
    if (domain->id == 0)
        return;
    if (domain->functions != 0) {
        /* Hardware may still walk these tables; pages that are lost are better than pages that two
         * owners have. */
        log_event("iommu.domain",
                  "id=%u functions=%u message=\"a domain with functions attached is not freed\"",
                  (unsigned)domain->id, domain->functions);
        return;
    }
    page_table_destroy(&domain->table);
    vtd.domain_used[domain->id / 64] &= ~BIT(domain->id % 64);
    *domain = (struct iommu_domain){.id = 0};
}
