/* SPDX-License-Identifier: MIT */
/* Which units there are, and whether they can be believed. */
#include "hypervisor/setup/iommu_internal.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/firmware_map.h"
#include "hypervisor/setup/iommu_registers.h"

static unsigned scope_count(const struct dmar *dmar, const struct dmar_structure *structure)
{
    unsigned count = 0;
    uint32_t cursor = 0;
    struct dmar_scope scope;
    while (dmar_scope_next(dmar, structure, &cursor, &scope))
        count++;
    return count;
}

static bool base_is_taken(uint64_t base)
{
    for (unsigned i = 0; i < vtd.unit_count; i++)
        if (vtd.unit[i].base == base)
            return true;
    return false;
}

/* Fault and IOTLB registers lie where the capabilities say, possibly past the first page. */
static uint64_t registers_needed(const struct vtd_unit *unit)
{
    uint64_t faults = VTD_CAP_FAULT_OFFSET(unit->capability) +
                      (uint64_t)VTD_CAP_FAULT_COUNT(unit->capability) * 16;
    uint64_t iotlb = VTD_ECAP_IOTLB_OFFSET(unit->extended) + UINT64_C(16);
    uint64_t needed = MAX(MAX(faults, iotlb), (uint64_t)VTD_REGISTERS_SIZE);
    return ALIGN_UP(needed, PAGE_SIZE);
}

static bool identify(struct vtd_unit *unit)
{
    unit->registers_size = VTD_REGISTERS_SIZE;
    unit->registers = map_device(unit->base, unit->registers_size);
    if (unit->registers == 0) {
        vtd_refuse(unit, 0, unit->base, "its registers cannot be mapped; its devices stay unused");
        return false;
    }
    unit->version = vtd_read32(unit, VTD_VER);
    unit->capability = vtd_read64(unit, VTD_CAP);
    unit->extended = vtd_read64(unit, VTD_ECAP);
    if (unit->version == 0 || unit->version > 0xff || unit->capability == ~UINT64_C(0) ||
        unit->extended == ~UINT64_C(0)) {
        vtd_refuse(unit, VTD_VER, unit->version,
                   "no VT-d unit answers at this address; enable VT-d in the firmware set-up or "
                   "update the firmware");
        return false;
    }
    uint64_t needed = registers_needed(unit);
    if (needed > unit->registers_size) {
        unmap(unit->registers, unit->registers_size);
        unit->registers_size = needed;
        unit->registers = map_device(unit->base, needed);
        if (unit->registers == 0) {
            vtd_refuse(unit, VTD_CAP, unit->capability, "its fault registers cannot be mapped");
            return false;
        }
    }
    return true;
}

/* Checks that need nothing but the unit itself (VT-d 11.4.2). */
static void check_capabilities(struct vtd_unit *unit)
{
    unsigned levels = VTD_CAP_SAGAW(unit->capability) & 0xeu;
    if (levels == 0)
        vtd_refuse(unit, VTD_CAP, unit->capability,
                   "it has no second-level translation of 3, 4 or 5 levels (SAGAW)");
    else if (VTD_CAP_ND(unit->capability) > 6)
        vtd_refuse(unit, VTD_CAP, unit->capability,
                   "its number of domains (ND) is a reserved value; its devices stay blocked");
    else if (VTD_CAP_MGAW_BITS(unit->capability) < 32)
        vtd_refuse(unit, VTD_CAP, unit->capability,
                   "it translates addresses of less than 32 bits (MGAW); its devices stay blocked");
    else if (VTD_CAP_FAULT_OFFSET(unit->capability) == 0)
        vtd_refuse(unit, VTD_CAP, unit->capability,
                   "its fault registers overlap its version (FRO); its devices stay blocked");
    else
        unit->usable = true;
    /* Without second-level translation TE does nothing; in all other cases an empty root table
     * still blocks. */
    unit->answers = levels != 0 && VTD_CAP_FAULT_OFFSET(unit->capability) != 0;
}

static void add_unit(const struct dmar *dmar, const struct dmar_structure *structure)
{
    bool taken = base_is_taken(structure->base);
    struct vtd_unit *unit = &vtd.unit[vtd.unit_count++];
    *unit = (struct vtd_unit){
        .base = structure->base, .dmar_offset = structure->offset, .segment = structure->segment};
    if (structure->base == 0 || !IS_ALIGNED(structure->base, PAGE_SIZE)) {
        vtd_refuse(unit, structure->offset, structure->base,
                   "the DMAR table gives an impossible register base; its devices stay unused, "
                   "update the firmware");
        return;
    }
    if (taken) {
        vtd_refuse(
            unit, structure->offset, structure->base,
            "the DMAR table lists this unit twice; the devices of the second entry stay unused");
        return;
    }
    if (!identify(unit))
        return;
    char scope[24] = "all";
    if ((structure->flags & DRHD_FLAG_INCLUDE_PCI_ALL) == 0)
        format_text(scope, sizeof scope, "%u", scope_count(dmar, structure));
    log_event("iommu.unit", "base=%#lx version=%u.%u cap=%#lx ecap=%#lx segment=%u scope=%s",
              unit->base, unit->version >> 4, unit->version & 0xf, unit->capability, unit->extended,
              (unsigned)unit->segment, scope);
    check_capabilities(unit);
}

void vtd_discover(const struct dmar *dmar)
{
    uint32_t cursor = 0;
    struct dmar_structure structure;
    while (dmar_next(dmar, &cursor, &structure)) {
        if (structure.type != DMAR_DRHD)
            continue;
        if (vtd.unit_count < IOMMU_MAX_UNITS)
            add_unit(dmar, &structure);
        else
            log_event("iommu.refused",
                      "base=%#lx offset=%#x value=%u message=\"more units than Bulkhead supports; "
                      "the devices behind this one stay unused\"",
                      structure.base, structure.offset, IOMMU_MAX_UNITS);
    }
}
