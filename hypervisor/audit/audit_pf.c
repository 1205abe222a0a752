/* SPDX-License-Identifier: MIT */
/* What no table in memory says: that the VFs of a device are those that were made at boot, and who
 * reaches what on it. The PF's driver asks the device itself. */
#include "hypervisor/assign/pf.h"
#include "hypervisor/audit/audit_internal.h"

struct look {
    struct audit *audit;
    rid_t pf;
};

static void report(void *context, uint64_t where, uint64_t value, const char *message)
{
    const struct look *look = context;
    audit_violation(look->audit, "I7", audit_unknown(look->pf), where, value, message);
}

/* Whoever drives the PF, its VFs are the hypervisor's to make: one more would be a requester that
 * nobody has checked. A device can have ways of its own to these registers. */
static void audit_sriov(struct audit *audit, const struct pci_function *pf)
{
    if (pf->num_vfs != 0 && audit_settled(pf) && !pci_sriov_holds(pf))
        audit_violation(audit, "I4", audit_function(pf->rid), pf->cap_sriov,
                        pci_config_read(pf->rid, pf->cap_sriov + SRIOV_CONTROL, 2),
                        "SR-IOV Control, NumVFs or VF BARs are not what was set at boot");
}

void audit_pf_devices(struct audit *audit)
{
    for (uint32_t i = 0; i < PF_MAX; i++) {
        struct pf_device *pf = pf_device_at(i);
        if (pf == NULL || pci_unusable(pf->function))
            continue;
        audit_sriov(audit, pf->function);
        if (pf->driver->audit == NULL)
            continue;
        audit_check(audit, "I7")->looked++;
        struct look look = {audit, pf->function->rid};
        pf->driver->audit(pf, report, &look);
    }
}
