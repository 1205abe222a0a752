/* SPDX-License-Identifier: MIT */
/* What the DMAR table says of each function: the unit it is behind, and the memory that firmware
 * keeps for it. */
#include "hypervisor/setup/iommu_internal.h"
#include "hypervisor/setup/pci_buses.h"
#include "hypervisor/setup/pci_functions.h"

/* Bridges between a function and its root port; PCI has 256 buses. */
#define MAX_HOPS 256

uint32_t vtd_region_offset[VTD_MAX_REGIONS];

/* True when one of the structure's scopes names this very function. A listed bridge stands for what
 * is behind it as well, so only bridges count for an ancestor. */
static bool scope_names(const struct dmar *dmar, const struct dmar_structure *structure, rid_t rid,
                        bool ancestor)
{
    uint32_t cursor = 0;
    struct dmar_scope scope;
    while (dmar_scope_next(dmar, structure, &cursor, &scope)) {
        if (scope.type != SCOPE_BRIDGE && (ancestor || scope.type != SCOPE_ENDPOINT))
            continue;
        /* A path begins at a bus as firmware numbered it; its hops follow the bridges as they are.
         */
        int bus = pci_bus_now(structure->segment, scope.start_bus);
        if (bus < 0)
            continue;
        scope.start_bus = (uint8_t)bus;
        uint16_t scope_rid;
        if (dmar_scope_rid(&scope, structure->segment, pci_secondary_bus, NULL, &scope_rid) ==
                STATUS_OK &&
            scope_rid == (uint16_t)rid)
            return true;
    }
    return false;
}

static bool find_by_scope(const struct dmar *dmar, rid_t rid, bool ancestor,
                          struct dmar_structure *structure)
{
    uint32_t cursor = 0;
    while (dmar_next(dmar, &cursor, structure))
        if (structure->type == DMAR_DRHD && structure->segment == RID_SEGMENT(rid) &&
            scope_names(dmar, structure, rid, ancestor))
            return true;
    return false;
}

static bool find_include_all(const struct dmar *dmar, uint16_t segment,
                             struct dmar_structure *structure)
{
    uint32_t cursor = 0;
    while (dmar_next(dmar, &cursor, structure))
        if (structure->type == DMAR_DRHD && structure->segment == segment &&
            (structure->flags & DRHD_FLAG_INCLUDE_PCI_ALL) != 0)
            return true;
    return false;
}

/* From the function upwards, so that the nearest scope wins wherever it stands in the table; the
 * unit of what is left over comes last (VT-d 8.3). */
int vtd_unit_find(const struct dmar *dmar, const struct pci_function *function)
{
    struct dmar_structure structure;
    bool found = false;
    unsigned hops = 0;
    for (const struct pci_function *at = function; at != NULL && !found && hops < MAX_HOPS;
         at = at->bridge, hops++)
        found = find_by_scope(dmar, at->rid, at != function, &structure);
    if (!found && !find_include_all(dmar, RID_SEGMENT(function->rid), &structure))
        return -1;
    for (unsigned i = 0; i < vtd.unit_count; i++)
        if (vtd.unit[i].dmar_offset == structure.offset)
            return (int)i;
    return -1;
}

static bool covers(const struct dmar *dmar, const struct dmar_structure *structure,
                   const struct pci_function *function)
{
    unsigned hops = 0;
    for (const struct pci_function *at = function; at != NULL && hops < MAX_HOPS;
         at = at->bridge, hops++)
        if (scope_names(dmar, structure, at->rid, at != function))
            return true;
    return false;
}

static bool concerns(const struct dmar *dmar, unsigned index, const struct pci_function *function)
{
    uint32_t cursor = vtd_region_offset[index];
    struct dmar_structure structure;
    return cursor == 0 ||
           (dmar_next(dmar, &cursor, &structure) && structure.type == DMAR_RMRR &&
            structure.segment == RID_SEGMENT(function->rid) && covers(dmar, &structure, function));
}

static uint64_t find_regions(const struct dmar *dmar, const struct pci_function *function)
{
    uint64_t regions = 0;
    for (unsigned i = 0; i < vtd_reserved.region_count; i++)
        if (concerns(dmar, i, function))
            regions |= BIT(i);
    return regions;
}

void vtd_scope_add(const struct dmar *dmar, const struct pci_function *function)
{
    if (vtd.scope_count == ARRAY_SIZE(vtd.scope))
        return; /* without a unit it stays blocked */
    vtd.scope[vtd.scope_count++] = (struct vtd_scope){
        .rid = function->rid,
        .unit = vtd_unit_find(dmar, function),
        .regions = find_regions(dmar, function),
    };
}
