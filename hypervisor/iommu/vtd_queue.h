/* SPDX-License-Identifier: MIT */
/* Invalidation of the units' caches. A request is the descriptor of the queue (VT-d 6.5.2), also
 * where a unit has none and registers carry it out. */
#pragma once

#include "hypervisor/iommu/vtd.h"

static inline struct vtd_descriptor vtd_all_contexts(void)
{
    return (struct vtd_descriptor){VTD_DESCRIPTOR_CONTEXT | VTD_DESCRIPTOR_GLOBAL, 0};
}

static inline struct vtd_descriptor vtd_context_of(uint16_t domain, rid_t rid)
{
    return (struct vtd_descriptor){VTD_DESCRIPTOR_CONTEXT | VTD_DESCRIPTOR_SELECTIVE |
                                       VTD_DESCRIPTOR_DID(domain) |
                                       VTD_DESCRIPTOR_SID((uint16_t)rid),
                                   0};
}

static inline struct vtd_descriptor vtd_all_translations(void)
{
    return (struct vtd_descriptor){VTD_DESCRIPTOR_IOTLB | VTD_DESCRIPTOR_GLOBAL, 0};
}

static inline struct vtd_descriptor vtd_translations_of(uint16_t domain)
{
    return (struct vtd_descriptor){
        VTD_DESCRIPTOR_IOTLB | VTD_DESCRIPTOR_DOMAIN | VTD_DESCRIPTOR_DID(domain), 0};
}

/* 2^order pages, naturally aligned; order at most CAP.MAMV. */
static inline struct vtd_descriptor vtd_translations_at(uint16_t domain, uint64_t address,
                                                        unsigned order)
{
    return (struct vtd_descriptor){VTD_DESCRIPTOR_IOTLB | VTD_DESCRIPTOR_SELECTIVE |
                                       VTD_DESCRIPTOR_DID(domain),
                                   address | order};
}

static inline struct vtd_descriptor vtd_all_interrupts(void)
{
    return (struct vtd_descriptor){VTD_DESCRIPTOR_IEC, 0};
}

static inline struct vtd_descriptor vtd_interrupt_at(uint32_t index)
{
    return (struct vtd_descriptor){
        VTD_DESCRIPTOR_IEC | VTD_DESCRIPTOR_IEC_INDEX | VTD_DESCRIPTOR_IIDX(index), 0};
}

#define VTD_MAX_INVALIDATIONS 8

/* Carries out up to VTD_MAX_INVALIDATIONS requests and waits once for all of them: through the
 * queue, or through registers where the unit has none (6.5.1). After a queue error everything is
 * invalidated instead, so STATUS_OK always means that nothing stale is left. STATUS_TIMEOUT,
 * STATUS_DEVICE: stale entries may be in use; the unit takes no more functions.
 * STATUS_UNSUPPORTED: interrupt entries without a queue. */
MUST_CHECK enum status vtd_invalidate(struct vtd_unit *unit, const struct vtd_descriptor *list,
                                      size_t count);
/* Takes over or starts the queue; without ECAP.QI there is nothing to do. */
MUST_CHECK enum status vtd_queue_start(struct vtd_unit *unit);
