/* SPDX-License-Identifier: MIT */
/*
 * Where VFs would be, with ARI and without (PCIe 9.3.3). First VF Offset and VF Stride may depend
 * on NumVFs and on ARI Capable Hierarchy, so both are set for a moment; while VF Enable is clear
 * that moves nothing. A PF whose VFs firmware left enabled is only read.
 */
#include "boot/preflight/sriov.h"

#include "boot/preflight/preflight.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/setup/pci_bars.h"

static uint16_t field(const struct pci_function *pf, unsigned offset)
{
    return pci_read16(pf->rid, pf->cap_sriov + offset);
}

static bool enabled(const struct pci_function *pf)
{
    return (field(pf, SRIOV_CONTROL) & SRIOV_CONTROL_VF_ENABLE) != 0;
}

/* ARI Capable Hierarchy is a bit of the lowest-numbered PF of a device and governs all of them. */
static const struct pci_function *lowest(const struct pci_function *pf)
{
    const struct pci_function *best = pf, *other;
    for (size_t i = 0; (other = pci_function_at(i)) != NULL; i++) {
        bool same =
            pf->bridge != NULL ? other->rid >> 8 == pf->rid >> 8 : other->rid >> 3 == pf->rid >> 3;
        if (same && other->cap_sriov != 0 && other->rid < best->rid)
            best = other;
    }
    return best;
}

static void read_places(const struct pci_function *pf, const struct pci_function *governing,
                        struct preflight_sriov *found)
{
    unsigned control = governing->cap_sriov + SRIOV_CONTROL;
    unsigned count = pf->cap_sriov + SRIOV_NUM_VFS;
    uint16_t old_control = pci_read16(governing->rid, control);
    uint16_t old_count = pci_read16(pf->rid, count);
    pci_config_write(pf->rid, count, 2, MIN(found->total, 2));
    for (unsigned ari = 0; ari < 2; ari++) {
        pci_update16(governing->rid, control, SRIOV_CONTROL_ARI, ari != 0 ? SRIOV_CONTROL_ARI : 0);
        found->offset[ari] = field(pf, SRIOV_FIRST_OFFSET);
        found->stride[ari] = field(pf, SRIOV_STRIDE);
    }
    pci_config_write(pf->rid, count, 2, old_count);
    pci_config_write(governing->rid, control, 2, old_control);
    pci_bars_size(pf->rid, pf->cap_sriov + SRIOV_VF_BAR0, PCI_BARS, found->bar);
}

bool preflight_sriov_read(const struct pci_function *pf, struct preflight_sriov *found)
{
    *found = (struct preflight_sriov){0};
    if (pf->cap_sriov == 0)
        return false;
    found->total = field(pf, SRIOV_TOTAL_VFS);
    found->initial = field(pf, SRIOV_INITIAL_VFS);
    found->vf_device = field(pf, SRIOV_VF_DEVICE_ID);
    found->pages = pci_read32(pf->rid, pf->cap_sriov + SRIOV_SUPPORTED_PAGES);
    const struct pci_function *governing = lowest(pf);
    found->enabled = enabled(pf);
    if (found->total == 0 || found->total == 0xffff)
        return true;
    if (found->enabled || enabled(governing)) {
        for (unsigned ari = 0; ari < 2; ari++) {
            found->offset[ari] = field(pf, SRIOV_FIRST_OFFSET);
            found->stride[ari] = field(pf, SRIOV_STRIDE);
        }
    } else {
        read_places(pf, governing, found);
    }
    /* As Bulkhead will have it: the port above can forward ARI, and the device knows ARI. */
    uint16_t control2 =
        pf->bridge == NULL ? 0 : pci_device_control2(pf->bridge->rid, pf->bridge->cap_pcie);
    bool forwards = pf->bridge == NULL ||
                    (pci_is_downstream_port(pf->bridge) && control2 != 0 &&
                     (pci_read32(pf->bridge->rid, pf->bridge->cap_pcie + PCIE_DEVICE_CAP2) &
                      PCIE_DEVICE_CAP2_ARI) != 0);
    found->ari = pf->cap_ari != 0 && forwards;
    return true;
}

static void sriov_log(const struct pci_function *pf, const struct preflight_sriov *found)
{
    char bars[160] = "";
    size_t length = 0;
    for (unsigned i = 0; i < PCI_BARS && length < sizeof bars; i++)
        if (found->bar[i].size != 0)
            length += format_text(bars + length, sizeof bars - length, " bar%u=0x%lx+%s%s", i,
                                  found->bar[i].base, size_text(found->bar[i].size).text,
                                  found->bar[i].is_64bit ? ":64" : "");
    log_event("pci.sriov",
              "pf=%s total=%u initial=%u vf=%04x:%04x enabled=%s offset_ari=%u stride_ari=%u "
              "offset=%u stride=%u ari=%s pages=0x%x%s",
              rid_text(pf->rid).text, found->total, found->initial, pf->vendor, found->vf_device,
              yes_no(found->enabled), found->offset[1], found->stride[1], found->offset[0],
              found->stride[0], yes_no(found->ari), found->pages, bars);
}

void preflight_sriov(void)
{
    const struct pci_function *pf;
    for (size_t i = 0; (pf = pci_function_at(i)) != NULL; i++) {
        struct preflight_sriov found;
        if (preflight_sriov_read(pf, &found))
            sriov_log(pf, &found);
    }
}
