/* SPDX-License-Identifier: MIT */
/* Fault recording (VT-d 7.1): the event interrupt, the records, what their reasons mean. */
#include "hypervisor/iommu/vtd.h"

#include "hypervisor/iommu/fault.h"

/* Records are also looked for without an interrupt this often: events of a unit may be masked, and
 * one is raised only when no record was pending before. */
#define POLL_PERIOD MILLISECONDS(20)

static volatile bool fault_event;
static uint64_t last_look;

/* Reason codes, annex "Fault conditions" of the VT-d specification. Below 0x20 legacy mode, 0x20 to
 * 0x2f interrupt requests, from 0x30 scalable mode. */
static const char *const reasons[] = {
    [0x01] = "request blocked: no context table for this bus: none of its functions is in a domain",
    [0x02] = "request blocked: no context entry: the function is in no domain",
    [0x03] = "request blocked: context entry not valid on this unit",
    [0x04] = "request blocked: address above what the unit or the domain translates",
    [0x05] = "DMA write blocked: page not writable in this domain",
    [0x06] = "DMA read blocked: page not readable in this domain",
    [0x07] = "a second-level table could not be read",
    [0x08] = "the root table could not be read",
    [0x09] = "the context table could not be read",
    [0x0a] = "reserved bits are set in the root entry",
    [0x0b] = "reserved bits are set in the context entry",
    [0x0c] = "reserved bits are set in a second-level entry",
    [0x0d] = "translation or translated request from a function without a device TLB",
    [0x0e] = "the address translates to the interrupt range",
    [0x20] = "reserved bits are set in the interrupt message",
    [0x21] = "the message's index is beyond the interrupt remapping table",
    [0x22] = "the interrupt remapping entry is not present",
    [0x23] = "the interrupt remapping table could not be read",
    [0x24] = "reserved bits are set in the interrupt remapping entry",
    [0x25] = "compatibility format interrupt blocked",
    [0x26] = "the interrupt remapping entry belongs to another function",
    [0x27] = "the posted interrupt descriptor could not be accessed",
    [0x28] = "reserved bits are set in the posted interrupt descriptor",
};

const char *iommu_fault_reason(uint8_t reason)
{
    if (reason < ARRAY_SIZE(reasons) && reasons[reason] != NULL)
        return reasons[reason];
    if (reason >= 0x20 && reason < 0x30)
        return "interrupt request blocked for an unknown reason";
    if (reason >= 0x30 && vtd_format.reason != NULL)
        return vtd_format.reason(reason);
    return "request blocked for an unknown reason";
}

uint32_t vtd_fault_record(const struct vtd_unit *unit, unsigned index)
{
    return VTD_CAP_FAULT_OFFSET(unit->capability) + index * 16;
}

/* F is the top bit of the record's last 32 bits; written as 1 it frees the record. */
void vtd_fault_free(const struct vtd_unit *unit, unsigned index)
{
    vtd_write32(unit, vtd_fault_record(unit, index) + 12, 0x80000000u);
}

void vtd_fault_event(void *context)
{
    (void)context;
    fault_event = true;
}

static struct iommu_fault decode(const struct vtd_unit *unit, uint64_t low, uint64_t high)
{
    uint8_t reason = VTD_FRCD_HIGH_REASON(high);
    bool interrupt = reason >= 0x20 && reason < 0x30;
    /* Of the upper half only these fields are looked at: where a request had no PASID, units leave
     * rubbish in the PASID field. */
    return (struct iommu_fault){
        .rid = (rid_t)unit->segment << 16 | VTD_FRCD_HIGH_SID(high),
        .address = interrupt ? VTD_FRCD_LOW_INDEX(low) : low & VTD_FRCD_LOW_ADDRESS,
        .interrupt = interrupt,
        .write = (high & VTD_FRCD_HIGH_READ) == 0,
        .reason = reason,
        .overflow = (vtd.pass.status & VTD_FSTS_PFO) != 0,
    };
}

static bool next_of_unit(const struct vtd_unit *unit, struct iommu_fault *fault)
{
    unsigned count = VTD_CAP_FAULT_COUNT(unit->capability);
    if (vtd.pass.looked_at == 0)
        vtd.pass.status = vtd_read32(unit, VTD_FSTS);
    if ((vtd.pass.status & (VTD_FSTS_PPF | VTD_FSTS_PFO)) == 0)
        return false;
    while (vtd.pass.looked_at < count) {
        unsigned index = (VTD_FSTS_FRI(vtd.pass.status) + vtd.pass.looked_at++) % count;
        uint64_t high = vtd_read64(unit, vtd_fault_record(unit, index) + 8);
        if ((high & VTD_FRCD_HIGH_F) == 0)
            continue;
        uint64_t low = vtd_read64(unit, vtd_fault_record(unit, index));
        vtd_fault_free(unit, index);
        *fault = decode(unit, low, high);
        return true;
    }
    /* Last: nothing is recorded while it is set, and records must be free before (VT-d 7.3.1). */
    if (vtd.pass.status & VTD_FSTS_PFO)
        vtd_write32(unit, VTD_FSTS, VTD_FSTS_PFO);
    return false;
}

bool iommu_fault_next(struct iommu_fault *fault)
{
    if (!vtd.pass.under_way) {
        uint64_t now = clock_microseconds();
        if (!vtd.enabled || (!fault_event && now - last_look < POLL_PERIOD))
            return false;
        last_look = now;
        fault_event = false; /* before looking: an event that comes now is seen the next time */
        vtd.pass.under_way = true;
        vtd.pass.unit = vtd.pass.looked_at = 0;
    }
    for (; vtd.pass.unit < vtd.unit_count; vtd.pass.unit++, vtd.pass.looked_at = 0)
        if (vtd.unit[vtd.pass.unit].translating && next_of_unit(&vtd.unit[vtd.pass.unit], fault))
            return true;
    vtd.pass.under_way = false;
    return false;
}
