/* SPDX-License-Identifier: MIT */
/*
 * Machines whose units do not do what their registers say, told by the ids of the host bridge or
 * the graphics. Sources: Intel's specification updates; Linux drivers/iommu/intel/iommu.c (quirk_*)
 * and arch/x86/kernel/early-quirks.c (intel_remapping_check).
 */
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/setup/iommu_internal.h"

#define CLASS_DISPLAY 0x03u
#define REVISION      0x08u
#define ANY_REVISION  0xffu
/* Ironlake's graphics control: whether firmware has set a shadow of the graphics' page table aside,
 * without which translation and graphics do not go together. */
#define GGC        0x52u
#define GGC_SHADOW BIT(11)

enum what {
    NO_REMAPPING = 1,   /* interrupt remapping stays off */
    LEAVE_GRAPHICS = 2, /* the unit of graphics alone is not touched */
    WRITE_BUFFER = 4,   /* RWBF is needed though the capability does not say so */
    NEEDS_SHADOW = 8,   /* LEAVE_GRAPHICS without GGC_SHADOW */
};

static const struct {
    uint16_t first, last;
    uint8_t first_revision, last_revision;
    uint8_t what;
    const char *message;
} quirks[] = {
#define DRAINING                                                                                   \
    "this revision of the 5500/5520/X58 loses interrupts when they are remapped (errata 47, 53), " \
    "so they are not"
    {0x3403, 0x3403, 0, 0x13, NO_REMAPPING, DRAINING},
    {0x3405, 0x3406, 0, 0x13, NO_REMAPPING, DRAINING},
    {0x3405, 0x3405, 0x22, 0x22, NO_REMAPPING, DRAINING},
#define SERIES_4                                                                                   \
    "the 4 Series' graphics fail when translated, and its units need their write buffer flushed "  \
    "though they do not say so"
    {0x2a40, 0x2a40, 0, ANY_REVISION, LEAVE_GRAPHICS | WRITE_BUFFER, SERIES_4}, /* GM45 */
    {0x2e00, 0x2e00, 0, ANY_REVISION, LEAVE_GRAPHICS | WRITE_BUFFER, SERIES_4},
    {0x2e10, 0x2e10, 0, ANY_REVISION, LEAVE_GRAPHICS | WRITE_BUFFER, SERIES_4}, /* Q45 */
    {0x2e20, 0x2e20, 0, ANY_REVISION, LEAVE_GRAPHICS | WRITE_BUFFER, SERIES_4}, /* G45 */
    {0x2e30, 0x2e30, 0, ANY_REVISION, LEAVE_GRAPHICS | WRITE_BUFFER, SERIES_4}, /* G41 */
    {0x2e40, 0x2e40, 0, ANY_REVISION, LEAVE_GRAPHICS | WRITE_BUFFER, SERIES_4}, /* B43 */
    {0x2e90, 0x2e90, 0, ANY_REVISION, LEAVE_GRAPHICS | WRITE_BUFFER, SERIES_4},
#define IRONLAKE                                                                                   \
    "firmware has set no shadow of the graphics' page table aside, and these graphics fail when "  \
    "translated without it"
    {0x0040, 0x0040, 0, ANY_REVISION, NEEDS_SHADOW, IRONLAKE},
    {0x0062, 0x0062, 0, ANY_REVISION, NEEDS_SHADOW, IRONLAKE},
    {0x006a, 0x006a, 0, ANY_REVISION, NEEDS_SHADOW, IRONLAKE},
    {0x0044, 0x0044, 0, ANY_REVISION, LEAVE_GRAPHICS,
     "the graphics of QM57 and QS57 fail when translated"},
#define BROADWELL "Broadwell's graphics fail when translated"
    {0x1602, 0x1602, 0, ANY_REVISION, LEAVE_GRAPHICS, BROADWELL},
    {0x1606, 0x1606, 0, ANY_REVISION, LEAVE_GRAPHICS, BROADWELL},
    {0x160a, 0x160e, 0, ANY_REVISION, LEAVE_GRAPHICS, BROADWELL},
    {0x1612, 0x1612, 0, ANY_REVISION, LEAVE_GRAPHICS, BROADWELL},
    {0x1616, 0x1616, 0, ANY_REVISION, LEAVE_GRAPHICS, BROADWELL},
    {0x161a, 0x161e, 0, ANY_REVISION, LEAVE_GRAPHICS, BROADWELL},
    {0x1622, 0x1622, 0, ANY_REVISION, LEAVE_GRAPHICS, BROADWELL},
    {0x1626, 0x1626, 0, ANY_REVISION, LEAVE_GRAPHICS, BROADWELL},
    {0x162a, 0x162e, 0, ANY_REVISION, LEAVE_GRAPHICS, BROADWELL},
    {0x1632, 0x1632, 0, ANY_REVISION, LEAVE_GRAPHICS, BROADWELL},
    {0x1636, 0x1636, 0, ANY_REVISION, LEAVE_GRAPHICS, BROADWELL},
    {0x163a, 0x163e, 0, ANY_REVISION, LEAVE_GRAPHICS, BROADWELL},
};

static const char *no_remapping; /* why, or NULL */
static uint32_t left;            /* bit: index of a unit */

const char *vtd_quirk_interrupts(void)
{
    return no_remapping;
}

bool vtd_unit_is_left(const struct vtd_unit *unit)
{
    return (left & BIT(unit - vtd.unit)) != 0;
}

/* Whether a unit has graphics behind it and nothing else. */
static bool is_graphics_unit(unsigned unit)
{
    bool graphics = false;
    for (unsigned i = 0; i < vtd.scope_count; i++) {
        const struct pci_function *function = pci_function_find(vtd.scope[i].rid);
        if (vtd.scope[i].unit != (int)unit || function == NULL)
            continue;
        if (function->class_code >> 16 != CLASS_DISPLAY)
            return false;
        graphics = true;
    }
    return graphics;
}

static void leave_graphics_units(const char *why)
{
    for (unsigned i = 0; i < vtd.unit_count; i++) {
        if ((left & BIT(i)) != 0 || !is_graphics_unit(i))
            continue;
        left |= (uint32_t)BIT(i);
        vtd_refuse(&vtd.unit[i], vtd.unit[i].dmar_offset, vtd.unit[i].base, why);
    }
}

static void apply(const struct pci_function *function, unsigned what, const char *message)
{
    if ((what & NEEDS_SHADOW) != 0) {
        if ((pci_read16(function->rid, GGC) & GGC_SHADOW) != 0)
            return;
        what = LEAVE_GRAPHICS;
    }
    log_event("iommu.quirk", "rid=%s id=%04x:%04x remapping=%s graphics=%s flush=%s message=\"%s\"",
              rid_text(function->rid).text, function->vendor, function->device,
              (what & NO_REMAPPING) != 0 ? "off" : "kept",
              (what & LEAVE_GRAPHICS) != 0 ? "left" : "kept",
              (what & WRITE_BUFFER) != 0 ? "forced" : "kept", message);
    if ((what & NO_REMAPPING) != 0)
        no_remapping = message;
    if ((what & LEAVE_GRAPHICS) != 0)
        leave_graphics_units("it is left as the firmware has it, because graphics behind it fail "
                             "when translated; its devices are given to nobody");
    for (unsigned i = 0; (what & WRITE_BUFFER) != 0 && i < vtd.unit_count; i++)
        vtd.unit[i].capability |= VTD_CAP_RWBF;
}

void vtd_quirks_apply(bool leave_graphics)
{
    no_remapping = NULL;
    left = 0;
    const struct pci_function *function;
    for (size_t n = 0; (function = pci_function_at(n)) != NULL; n++) {
        if (function->vendor != PCI_VENDOR_INTEL || RID_BUS(function->rid) != 0)
            continue;
        uint8_t revision = pci_read8(function->rid, REVISION);
        for (size_t i = 0; i < ARRAY_SIZE(quirks); i++)
            if (function->device >= quirks[i].first && function->device <= quirks[i].last &&
                revision >= quirks[i].first_revision && revision <= quirks[i].last_revision)
                apply(function, quirks[i].what, quirks[i].message);
    }
    if (leave_graphics)
        leave_graphics_units("it is left as the firmware has it (graphics_unit = leave in "
                             "[system]); its devices are given to nobody");
}
