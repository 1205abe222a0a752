/* SPDX-License-Identifier: MIT */
/*
 * Invalidation: one list of requests, two ways to carry it out. Both are synchronous, so at most
 * one batch is ever under way.
 */
#include "hypervisor/iommu/vtd_queue.h"

#include "hypervisor/base/log.h"
#include "hypervisor/memory/pages.h"

/* --- the queue (VT-d 6.5.2) --- */

/* Pending reads and writes of devices are drained where the unit can. */
static struct vtd_descriptor drained(const struct vtd_unit *unit, struct vtd_descriptor request)
{
    if (VTD_DESCRIPTOR_TYPE(request.low) == VTD_DESCRIPTOR_IOTLB) {
        request.low |= unit->capability & VTD_CAP_DRD ? VTD_DESCRIPTOR_DR : 0;
        request.low |= unit->capability & VTD_CAP_DWD ? VTD_DESCRIPTOR_DW : 0;
    }
    return request;
}

/* Status write only: a unit is known that stops the machine when an interrupt is asked for in the
 * same descriptor, and one that refuses a wait which reports nothing. */
static struct vtd_descriptor wait_descriptor(volatile uint32_t *status, uint32_t value)
{
    return (struct vtd_descriptor){VTD_DESCRIPTOR_WAIT | VTD_DESCRIPTOR_WAIT_SW |
                                       VTD_DESCRIPTOR_WAIT_DATA(value),
                                   physical_address(status)};
}

static void put(struct vtd_unit *unit, uint32_t index, struct vtd_descriptor descriptor)
{
    unit->queue[index] = descriptor;
    vtd_publish(unit, &unit->queue[index], sizeof descriptor);
}

static void append(struct vtd_unit *unit, struct vtd_descriptor descriptor)
{
    put(unit, unit->tail, descriptor);
    unit->tail = (unit->tail + vtd_format.slots) % VTD_QUEUE_ENTRIES;
}

/* The unit stopped at a descriptor it does not understand (VT-d 6.5.2.9): says which, puts one in
 * its place that does nothing, lets the queue go on. Returns the descriptor's index. */
static uint32_t skip_failed(struct vtd_unit *unit)
{
    uint32_t index = VTD_IQ_INDEX(vtd_read64(unit, VTD_IQH)) % VTD_QUEUE_ENTRIES;
    log_event("iommu.queue",
              "base=%#lx error=IQE index=%u low=%#lx high=%#lx message=\"the unit refuses this "
              "descriptor; it is skipped and everything is invalidated instead\"",
              unit->base, index, unit->queue[index].low, unit->queue[index].high);
    put(unit, index, wait_descriptor(&unit->status[1], unit->sequence));
    vtd_write32(unit, VTD_FSTS, VTD_FSTS_IQE);
    /* Some units only look at the queue again when its tail is written. */
    vtd_write64(unit, VTD_IQT, VTD_IQ_OFFSET(unit->tail));
    return index;
}

/* A device did not complete, or completed wrongly (VT-d 6.5.2.10, 6.5.2.11). Waits behind an ITE
 * are dropped by the unit. */
static void clear_completion_errors(struct vtd_unit *unit, uint32_t errors)
{
    log_event("iommu.queue",
              "base=%#lx error=%s value=%#x message=\"an invalidation was not completed; "
              "everything is invalidated instead\"",
              unit->base, errors & VTD_FSTS_ITE ? "ITE" : "ICE", errors);
    vtd_write32(unit, VTD_FSTS, errors);
    vtd_write64(unit, VTD_IQT, VTD_IQ_OFFSET(unit->tail));
}

/* STATUS_OK: the wait descriptor's status has arrived. *lost: a request was not carried out. */
static enum status queue_run(struct vtd_unit *unit, const struct vtd_descriptor *list, size_t count,
                             bool *lost)
{
    *lost = false;
    unit->sequence++;
    for (size_t i = 0; i < count; i++) {
        append(unit, drained(unit, list[i]));
        if (vtd_format.below != NULL && VTD_DESCRIPTOR_TYPE(list[i].low) == VTD_DESCRIPTOR_CONTEXT)
            append(unit, vtd_format.below(list[i]));
    }
    uint32_t wait_index = unit->tail;
    append(unit, wait_descriptor(&unit->status[0], unit->sequence));
    vtd_write64(unit, VTD_IQT, VTD_IQ_OFFSET(unit->tail));

    size_t skipped = 0;
    struct deadline deadline = deadline_in(VTD_WAIT);
    for (;;) {
        bool last = deadline_passed(deadline);
        if (unit->status[0] == unit->sequence)
            break;
        uint32_t errors = vtd_read32(unit, VTD_FSTS) & (VTD_FSTS_IQE | VTD_FSTS_ICE | VTD_FSTS_ITE);
        if (errors & VTD_FSTS_IQE) {
            *lost = true;
            /* More failures than requests: it refuses what was put in their place as well. */
            if (skip_failed(unit) == wait_index || ++skipped > count)
                return STATUS_DEVICE;
        } else if (errors != 0) {
            *lost = true;
            clear_completion_errors(unit, errors);
            if ((errors & VTD_FSTS_ITE) != 0 || ++skipped > count)
                return STATUS_DEVICE;
        }
        if (last)
            return STATUS_TIMEOUT;
        clock_relax();
    }
    /* The status can arrive together with an error that concerns this very batch. */
    uint32_t errors = vtd_read32(unit, VTD_FSTS) & (VTD_FSTS_ICE | VTD_FSTS_ITE);
    if (errors != 0) {
        *lost = true;
        clear_completion_errors(unit, errors);
    }
    return STATUS_OK;
}

enum status vtd_queue_start(struct vtd_unit *unit)
{
    unit->queued = false;
    if ((unit->extended & VTD_ECAP_QI) == 0)
        return STATUS_OK;
    /* A queue that was left running must be empty before it can be stopped (VT-d 6.5.2). */
    if (vtd_read32(unit, VTD_GSTS) & VTD_GLOBAL_QIE) {
        (void)WAIT_UNTIL(vtd_read64(unit, VTD_IQH) == vtd_read64(unit, VTD_IQT), VTD_WAIT);
        if (vtd_switch(unit, VTD_GLOBAL_QIE, false) != STATUS_OK)
            return STATUS_TIMEOUT;
    }
    if (unit->queue == NULL) {
        unit->queue = pages_allocate(2);
        if (unit->queue == NULL)
            return STATUS_NO_MEMORY;
        /* The status words live as long as the unit: a late write can never hit anything else. */
        unit->status = (volatile uint32_t *)(unit->queue + VTD_QUEUE_ENTRIES);
    }
    unit->tail = 0;
    vtd_write32(unit, VTD_FSTS, VTD_FSTS_IQE | VTD_FSTS_ICE | VTD_FSTS_ITE);
    vtd_write64(unit, VTD_IQT, 0);
    vtd_write64(unit, VTD_IQA, physical_address(unit->queue) | VTD_IQA_DW(vtd_format.slots));
    if (vtd_switch(unit, VTD_GLOBAL_QIE, true) != STATUS_OK)
        return STATUS_TIMEOUT;
    unit->queued = true;
    /* The head is the unit's own; it must agree with where the first descriptor goes. */
    unit->tail = VTD_IQ_INDEX(vtd_read64(unit, VTD_IQH)) % VTD_QUEUE_ENTRIES;
    return unit->tail == 0 ? STATUS_OK : STATUS_DEVICE;
}

static enum status queue_invalidate(struct vtd_unit *unit, const struct vtd_descriptor *list,
                                    size_t count)
{
    bool lost;
    enum status status = queue_run(unit, list, count, &lost);
    if (status == STATUS_OK && !lost)
        return STATUS_OK;
    /* What was asked for may not have happened: start afresh and invalidate everything. */
    if (status != STATUS_OK) {
        log_event(
            "iommu.queue",
            "base=%#lx error=%s head=%#lx tail=%#lx message=\"the queue stopped; it is restarted\"",
            unit->base, status_name(status), vtd_read64(unit, VTD_IQH), vtd_read64(unit, VTD_IQT));
        status = vtd_queue_start(unit);
        if (status != STATUS_OK)
            return status;
    }
    const struct vtd_descriptor everything[] = {vtd_all_contexts(), vtd_all_translations(),
                                                vtd_all_interrupts()};
    status = queue_run(unit, everything, unit->extended & VTD_ECAP_IR ? 3 : 2, &lost);
    if (status == STATUS_OK && lost)
        return STATUS_DEVICE;
    return status;
}

/* --- registers (VT-d 6.5.1), for units without a queue --- */

static enum status context_command(struct vtd_unit *unit, uint64_t value)
{
    if (!WAIT_UNTIL((vtd_read64(unit, VTD_CCMD) & VTD_CCMD_ICC) == 0, VTD_WAIT))
        return STATUS_TIMEOUT;
    vtd_write64(unit, VTD_CCMD, VTD_CCMD_ICC | value);
    if (!WAIT_UNTIL((vtd_read64(unit, VTD_CCMD) & VTD_CCMD_ICC) == 0, VTD_WAIT))
        return STATUS_TIMEOUT;
    return VTD_CCMD_CAIG(vtd_read64(unit, VTD_CCMD)) != 0 ? STATUS_OK : STATUS_DEVICE;
}

static enum status iotlb_command(struct vtd_unit *unit, uint64_t address, uint64_t value)
{
    uint32_t offset = VTD_ECAP_IOTLB_OFFSET(unit->extended);
    if (unit->capability & VTD_CAP_DRD)
        value |= VTD_IOTLB_DR;
    if (unit->capability & VTD_CAP_DWD)
        value |= VTD_IOTLB_DW;
    if (!WAIT_UNTIL((vtd_read64(unit, offset + VTD_IOTLB) & VTD_IOTLB_IVT) == 0, VTD_WAIT))
        return STATUS_TIMEOUT;
    if ((value & VTD_IOTLB_PAGE) == VTD_IOTLB_PAGE)
        vtd_write64(unit, offset + VTD_IVA, address);
    vtd_write64(unit, offset + VTD_IOTLB, VTD_IOTLB_IVT | value);
    if (!WAIT_UNTIL((vtd_read64(unit, offset + VTD_IOTLB) & VTD_IOTLB_IVT) == 0, VTD_WAIT))
        return STATUS_TIMEOUT;
    return VTD_IOTLB_IAIG(vtd_read64(unit, offset + VTD_IOTLB)) != 0 ? STATUS_OK : STATUS_DEVICE;
}

/* Granularity, domain and source are encoded as in a descriptor, in other places. */
static enum status register_invalidate(struct vtd_unit *unit, struct vtd_descriptor request)
{
    uint64_t granularity = FIELD(request.low, 5, 4);
    switch (VTD_DESCRIPTOR_TYPE(request.low)) {
    case VTD_DESCRIPTOR_CONTEXT:
        return context_command(unit, VTD_CCMD_GRANULARITY(granularity) |
                                         VTD_CCMD_IDS(FIELD(request.low, 47, 16)));
    case VTD_DESCRIPTOR_IOTLB:
        return iotlb_command(unit, request.high,
                             VTD_IOTLB_GRANULARITY(granularity) |
                                 VTD_IOTLB_DID(FIELD(request.low, 31, 16)));
    default:
        return STATUS_UNSUPPORTED;
    }
}

enum status vtd_invalidate(struct vtd_unit *unit, const struct vtd_descriptor *list, size_t count)
{
    if (unit->broken)
        return STATUS_DEVICE;
    if (count > VTD_MAX_INVALIDATIONS)
        return STATUS_INVALID;
    enum status status = vtd_write_buffer_flush(unit);
    if (status == STATUS_OK && unit->queued)
        status = queue_invalidate(unit, list, count);
    else
        for (size_t i = 0; i < count && status == STATUS_OK; i++)
            status = register_invalidate(unit, list[i]);
    if (status != STATUS_OK && status != STATUS_UNSUPPORTED) {
        unit->broken = true;
        vtd_refuse(unit, VTD_FSTS, vtd_read32(unit, VTD_FSTS),
                   "it no longer invalidates its caches: it takes no more devices, and memory of "
                   "those it has is not reused; reboot");
    }
    return status;
}
