/* SPDX-License-Identifier: MIT */
/* What the audit finds is taken out of service, at any time: an invariant that is broken for one
 * guest or one function says nothing against the others. */
#include "hypervisor/audit/audit.h"

#include "hypervisor/assign/pf.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/guest/lifecycle.h"
#include "hypervisor/guest/pf_lost.h"
#include "hypervisor/iommu/domain.h"
#include "hypervisor/iommu/interrupt.h"

static void block(rid_t rid, bool logged)
{
    bool blocked = iommu_block(rid);
    if (!logged)
        log_event("device.quarantined", "rid=%s status=%s message=\"%s\"", rid_text(rid).text,
                  blocked ? "ok" : "timeout",
                  "the audit found its isolation broken (audit.violation above): its DMA is "
                  "blocked until a reboot");
}

/* Without its PF's driver nothing keeps VFs apart. */
static void lose_pf(const struct pci_function *function)
{
    for (uint32_t i = 0; i < PF_MAX; i++) {
        struct pf_device *pf = pf_device_at(i);
        if (pf != NULL && pf->function == function)
            pf_block_lost(pf);
    }
}

/* An owner's function goes with its owner, whose stop takes the context entry and resets it. */
static void quarantine_function(struct pci_function *function)
{
    struct guest *guest = guest_of_owner(function->owner);
    if (guest != NULL) {
        guest_quarantine(guest);
        /* An entry that has outlived its guest's run has no stop to go with. */
        if (guest->state != GUEST_RUNNING && guest->state != GUEST_STOPPING)
            (void)!iommu_block(function->rid);
        return;
    }
    bool again = function->life == PCI_QUARANTINED;
    if (!pci_is_bridge(function))
        pci_bus_master(function, false);
    (void)!pci_life_set(function, PCI_QUARANTINED);
    iommu_interrupts_release(function);
    block(function->rid, again);
    lose_pf(function);
}

#ifdef BULKHEAD_AUDIT_WARN
static bool only_warns;

void audit_only_warn(void)
{
    only_warns = true;
    log_event("audit.mode", "mode=warn message=\"THIS BUILD AND THIS CONFIGURATION ISOLATE NOBODY: "
                            "guests go on whatever the audit finds\"");
}
#endif

bool audit_enforce(void)
{
    bool clean = audit_run();
    const struct audit_findings *found = audit_findings();
    if (clean)
        return true;
#ifdef BULKHEAD_AUDIT_WARN
    if (only_warns) {
        log_event("audit.warned",
                  "violations=%u message=\"NOTHING IS DONE ABOUT THEM (audit = warn "
                  "in [system])\"",
                  found->violations);
        return false;
    }
#endif
    for (size_t i = 0; i < pci_function_count(); i++)
        if ((found->functions[i / 64] & BIT(i % 64)) != 0)
            quarantine_function(pci_function_at(i));
    for (unsigned i = 0; i < found->stranger_count; i++)
        block(found->strangers[i], false);
    struct guest *guest;
    for (unsigned i = 0; (guest = guest_at(i)) != NULL; i++)
        if (found->machine || (found->guests & BIT(i)) != 0)
            guest_quarantine(guest);
    return false;
}
