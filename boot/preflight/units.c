/* SPDX-License-Identifier: MIT */
/* IOMMU units by their registers, and for which functions firmware keeps memory (VT-d 8, 11.4). */
#include "boot/preflight/preflight.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/iommu/vtd_registers.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/setup/iommu_registers.h"

#define FUNCTION_TEXT 24

static unsigned scope_count(const struct dmar *dmar, const struct dmar_structure *structure)
{
    unsigned count = 0;
    uint32_t cursor = 0;
    struct dmar_scope scope;
    while (dmar_scope_next(dmar, structure, &cursor, &scope))
        count++;
    return count;
}

static void unit_log(const struct dmar_structure *structure, const char *scope,
                     bool (*readable)(uint64_t physical, uint64_t size), struct preflight *facts)
{
    uint64_t base = structure->base;
    facts->units++;
    if (base == 0 || !IS_ALIGNED(base, PAGE_SIZE) || !readable(base, PAGE_SIZE)) {
        log_event("iommu.refused",
                  "base=0x%lx offset=0x%x message=\"the DMAR table's register base cannot be read "
                  "now; Bulkhead tries again when it maps it\"",
                  base, structure->offset);
        facts->usable_units++;
        return;
    }
    uint32_t version = mmio_read32((uintptr_t)base + VTD_VER);
    uint64_t cap = mmio_read64((uintptr_t)base + VTD_CAP);
    uint64_t ecap = mmio_read64((uintptr_t)base + VTD_ECAP);
    uint32_t status = mmio_read32((uintptr_t)base + VTD_GSTS);
    if (version == 0 || version > 0xff || cap == ~UINT64_C(0) || ecap == ~UINT64_C(0)) {
        log_event("iommu.refused",
                  "base=0x%lx offset=0x%x value=0x%x message=\"no VT-d unit answers at this "
                  "address; enable VT-d in the firmware set-up or update the firmware\"",
                  base, structure->offset, version);
        return;
    }
    unsigned levels = VTD_CAP_SAGAW(cap);
    bool remaps = (ecap & VTD_ECAP_IR) != 0;
    facts->usable_units += (levels & 0xeu) != 0;
    facts->remapping &= remaps;
    log_event("iommu.unit",
              "base=0x%lx version=%u.%u cap=0x%lx ecap=0x%lx segment=%u scope=%s gsts=0x%x "
              "levels3=%s levels4=%s levels5=%s bits=%u domains=%lu qi=%s ir=%s eim=%s snoop=%s "
              "coherent=%s",
              base, version >> 4, version & 0xf, cap, ecap, (unsigned)structure->segment, scope,
              status, yes_no((levels & 2) != 0), yes_no((levels & 4) != 0),
              yes_no((levels & 8) != 0), VTD_CAP_MGAW_BITS(cap),
              UINT64_C(1) << (4 + 2 * VTD_CAP_ND(cap)), yes_no((ecap & VTD_ECAP_QI) != 0),
              yes_no(remaps), yes_no((ecap & VTD_ECAP_EIM) != 0), yes_no((ecap & VTD_ECAP_SC) != 0),
              yes_no((ecap & VTD_ECAP_C) != 0));
    if ((levels & 0xeu) == 0)
        log_event("iommu.refused",
                  "base=0x%lx value=0x%lx message=\"it has no second-level "
                  "translation of 3, 4 or 5 levels (SAGAW)\"",
                  base, cap);
    if (!remaps)
        log_event("iommu.refused",
                  "base=0x%lx value=0x%lx message=\"it cannot remap interrupts: guests get devices "
                  "only with unsafe_interrupts = yes in [system]\"",
                  base, ecap);
}

static int secondary_bus(uint16_t segment, uint16_t rid, void *context)
{
    (void)context;
    const struct pci_function *function = pci_function_find((rid_t)segment << 16 | rid);
    return function != NULL && function->is_bridge ? function->secondary_bus : -1;
}

static void reserved_log(const struct dmar_structure *structure, struct preflight *facts)
{
    uint32_t cursor = 0;
    struct dmar_scope scope;
    while (dmar_scope_next(&facts->dmar, structure, &cursor, &scope)) {
        uint16_t rid;
        bool found =
            dmar_scope_rid(&scope, structure->segment, secondary_bus, NULL, &rid) == STATUS_OK;
        rid_t whole = (rid_t)structure->segment << 16 | (found ? rid : 0);
        log_event("iommu.reserved", "base=0x%lx limit=0x%lx rid=%s", structure->base,
                  structure->limit, found ? rid_text(whole).text : "absent");
        if (found && facts->reserved_count < PREFLIGHT_RESERVED)
            facts->reserved[facts->reserved_count++] =
                (struct preflight_reserved){whole, structure->base, structure->limit};
    }
}

void preflight_units(bool (*readable)(uint64_t physical, uint64_t size), struct preflight *facts)
{
    uint32_t cursor = 0;
    struct dmar_structure structure;
    if (!facts->has_dmar)
        return;
    facts->remapping = (facts->dmar.flags & DMAR_FLAG_INTR_REMAP) != 0;
    if (!facts->remapping)
        log_event("iommu.refused",
                  "message=\"the DMAR table says that interrupts are not remapped: "
                  "guests get devices only with unsafe_interrupts = yes in "
                  "[system]; look for interrupt remapping in the firmware's "
                  "set-up\"");
    while (dmar_next(&facts->dmar, &cursor, &structure)) {
        char scope[FUNCTION_TEXT] = "all";
        if (structure.type == DMAR_RMRR)
            reserved_log(&structure, facts);
        if (structure.type != DMAR_DRHD)
            continue;
        if ((structure.flags & DRHD_FLAG_INCLUDE_PCI_ALL) == 0)
            format_text(scope, sizeof scope, "%u", scope_count(&facts->dmar, &structure));
        unit_log(&structure, scope, readable, facts);
    }
}
