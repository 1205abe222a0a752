/* SPDX-License-Identifier: MIT */
/* All units: what they have in common, and the two steps in which they are brought up. */
#include "hypervisor/setup/iommu_internal.h"

#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/setup/cpu.h"
#include "hypervisor/setup/iommu_registers.h"

/* A domain is one table for all the units its functions are behind, so its depth must suit them
 * all. Four levels are preferred: every address a guest can have fits, and it is what most machines
 * are tested with. */
static unsigned choose_levels(void)
{
    static const unsigned preferred[] = {4, 3, 5};
    unsigned best = 0, best_count = 0;
    for (size_t n = 0; n < ARRAY_SIZE(preferred); n++) {
        unsigned count = 0;
        for (unsigned i = 0; i < vtd.unit_count; i++)
            if (vtd.unit[i].usable &&
                (VTD_CAP_SAGAW(vtd.unit[i].capability) & BIT(preferred[n] - 2)) != 0)
                count++;
        if (count > best_count) {
            best_count = count;
            best = preferred[n];
        }
    }
    return best;
}

static unsigned leaf_level(uint64_t capability)
{
    unsigned sllps = VTD_CAP_SLLPS(capability);
    if ((sllps & 1) == 0)
        return 1;
    return (sllps & 2) != 0 ? 3 : 2;
}

/* Why the unit cannot have tables of the format that is linked; NULL: it can. */
WEAK const char *vtd_format_problem(struct vtd_unit *unit)
{
    (void)unit;
    return NULL;
}

static void find_common_ground(void)
{
    vtd.levels = choose_levels();
    vtd.max_leaf_level = 3;
    vtd.input_bits = 12 + 9 * vtd.levels;
    vtd.domain_count = VTD_MAX_DOMAINS;
    vtd.snoop = true;
    for (unsigned i = 0; i < vtd.unit_count; i++) {
        struct vtd_unit *unit = &vtd.unit[i];
        if (!unit->usable)
            continue;
        const char *problem = vtd_format_problem(unit);
        if (problem != NULL) {
            vtd_refuse(unit, VTD_ECAP, unit->extended, problem);
            continue;
        }
        if ((VTD_CAP_SAGAW(unit->capability) & BIT(vtd.levels - 2)) == 0) {
            vtd_refuse(unit, VTD_CAP, unit->capability,
                       "its page tables have another depth (SAGAW) than those of the other units; "
                       "its devices stay blocked");
            continue;
        }
        unsigned leaf = leaf_level(unit->capability);
        vtd.max_leaf_level = MIN(vtd.max_leaf_level, leaf);
        vtd.input_bits = MIN(vtd.input_bits, VTD_CAP_MGAW_BITS(unit->capability));
        vtd.domain_count =
            MIN(vtd.domain_count, UINT32_C(1) << (4 + 2 * VTD_CAP_ND(unit->capability)));
        vtd.flush |= !vtd_coherent(unit);
        vtd.snoop &= (unit->extended & VTD_ECAP_SC) != 0;
    }
}

/* Also of a refused unit, where it obeys: an empty root table blocks. */
static bool is_ours(const struct vtd_unit *unit)
{
    return unit->answers && !vtd_unit_is_left(unit);
}

static void say_opt_out(const struct dmar *dmar)
{
    if ((dmar->flags & DMAR_FLAG_X2APIC_OPT_OUT) != 0)
        log_event("iommu.x2apic", "opt_out=yes used=%s message=\"%s\"",
                  apic_is_x2apic() ? "yes" : "no",
                  apic_is_x2apic()
                      ? "the firmware asks systems to stay with xAPIC (X2APIC_OPT_OUT); x2APIC is "
                        "used all the same, because a guest can be given no other local APIC. "
                        "Should the machine hang here, switch x2APIC on in the firmware set-up or "
                        "update the firmware"
                      : "the firmware asks systems to stay with xAPIC (X2APIC_OPT_OUT), and there "
                        "is not an x2APIC: no guest can run; switch it on in the firmware set-up");
}

enum status iommu_init(const struct dmar *dmar, bool leave_graphics)
{
    memset(&vtd, 0, sizeof vtd);
    vtd_discover(dmar);
    const struct pci_function *function;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++)
        vtd_scope_add(dmar, function);
    if (vtd.unit_count == 0)
        return STATUS_NOT_FOUND;
    say_opt_out(dmar);
    vtd_quirks_apply(leave_graphics);
    find_common_ground();
    unsigned units = 0;
    for (unsigned i = 0; i < vtd.unit_count; i++) {
        struct vtd_unit *unit = &vtd.unit[i];
        if (is_ours(unit) && vtd_unit_prepare(unit) == STATUS_OK && unit->usable)
            units++;
    }
    vtd.enabled = units > 0;
    return vtd.enabled ? STATUS_OK : STATUS_DEVICE;
}

enum status iommu_translate(const struct dmar *dmar)
{
    unsigned units = 0;
    bool queued = true, interrupts = true, eim = true;
    for (unsigned i = 0; i < vtd.unit_count; i++) {
        struct vtd_unit *unit = &vtd.unit[i];
        if (!is_ours(unit) || unit->root == NULL || vtd_unit_enable(unit, dmar) != STATUS_OK ||
            !unit->usable)
            continue;
        units++;
        queued &= unit->queued;
        interrupts &= unit->remapping;
        eim &= unit->eim;
    }
    vtd.enabled = units > 0;
    if (!vtd.enabled)
        return STATUS_DEVICE;
    log_event("iommu.enabled", "units=%u levels=%u qi=%s ir=%s eim=%s domains=%u page=%s snoop=%s",
              units, vtd.levels, queued ? "yes" : "no", interrupts ? "yes" : "no",
              eim ? "yes" : "no", vtd.domain_count - 1,
              vtd.max_leaf_level == 3   ? "1G"
              : vtd.max_leaf_level == 2 ? "2M"
                                        : "4K",
              vtd.snoop ? "yes" : "no");
    return STATUS_OK;
}

uint64_t iommu_address_end(void)
{
    return vtd.enabled ? BIT(vtd.input_bits) : UINT64_MAX;
}
