/* SPDX-License-Identifier: MIT */
/* What no table in memory says: who reaches what on a device that several VFs share. Its PF's
 * driver asks the device itself. */
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

void audit_pf_devices(struct audit *audit)
{
    for (uint32_t i = 0; i < PF_MAX; i++) {
        struct pf_device *pf = pf_device_at(i);
        if (pf == NULL || pci_unusable(pf->function) || pf->driver->audit == NULL)
            continue;
        struct look look = {audit, pf->function->rid};
        pf->driver->audit(pf, report, &look);
    }
}
