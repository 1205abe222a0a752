/* What the audit finds is taken out of service, at any time: an invariant that is broken for one
 * guest or one function says nothing against the others. */
#include "hypervisor/monitor/audit.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/guest/guest.h"

/* An owner's function goes with its owner, whose stop takes the context entry and resets it. */
static void quarantine_function(rid_t rid)
{
    struct pci_function *function = pci_function_find(rid);
    struct guest *guest = function != NULL ? guest_of_owner(function->owner) : NULL;
    if (guest != NULL) {
        guest_quarantine(guest);
        return;
    }
    if (function != NULL && !pci_is_bridge(function))
        pci_bus_master(function, false);
    log_event("device.quarantined", "rid=%s status=%s message=\"%s\"", rid_text(rid).text,
              iommu_block(rid) ? "ok" : "timeout",
              "the audit found its isolation broken (audit.violation above): its DMA is blocked "
              "until a reboot");
}

bool audit_enforce(void)
{
    bool clean = audit_run();
    const struct audit_findings *found = audit_findings();
    if (clean)
        return true;
    for (unsigned i = 0; i < found->function_count; i++)
        quarantine_function(found->functions[i]);
    struct guest *guest;
    for (unsigned i = 0; (guest = guest_at(i)) != NULL; i++)
        if (found->machine || (found->guests & BIT(i)) != 0)
            guest_quarantine(guest);
    return false;
}
