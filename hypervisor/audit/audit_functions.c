/* SPDX-License-Identifier: MIT */
/* The audit of what keeps a function's requests on their way to the IOMMU: bits in the function
 * itself and in the ports above it, read again from configuration space. A reset clears some of
 * them, and what moves a BAR unseen can move these as well. */
#include "hypervisor/audit/audit_internal.h"

#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/pci/acs.h"

/* Bits that must stay clear: `value` is the register's. */
static void must_be_clear(struct audit *audit, const struct guest *guest, unsigned offset,
                          uint16_t value, uint64_t bits, const char *message)
{
    if ((value & bits) != 0)
        audit_violation(audit, "I4", audit_guest(guest), offset, value, message);
}

static void audit_controls(struct audit *audit, const struct guest *guest,
                           const struct pci_function *function)
{
    /* In a VF they are reserved, and the PF's count (PCIe 9.3.5.4). */
    const struct pci_function *physical = function->pf != NULL ? function->pf : function;
    if (physical->cap_pcie != 0 && audit_settled(physical)) {
        unsigned offset = physical->cap_pcie + PCIE_DEVICE_CONTROL;
        uint16_t control = pci_read16(physical->rid, offset);
        must_be_clear(audit, guest, offset, control, PCIE_DEVICE_CONTROL_PHANTOM,
                      "phantom functions are on: it may send under ids that nobody owns");
        must_be_clear(audit, guest, offset, control, PCIE_DEVICE_CONTROL_ERRORS,
                      "error reporting is on: its guest can raise errors of the whole machine");
        must_be_clear(audit, guest, offset, control, PCIE_DEVICE_CONTROL_NO_SNOOP,
                      "requests of its device may bypass the caches");
    }
    if (function->cap_ats != 0 && audit_settled(function)) {
        unsigned offset = function->cap_ats + ATS_CONTROL;
        must_be_clear(audit, guest, offset, pci_read16(function->rid, offset), ATS_CONTROL_ENABLE,
                      "ATS is on: its device keeps translations of its own");
    }
}

void audit_functions(struct audit *audit)
{
    const struct guest *guest;
    for (unsigned g = 0; (guest = guest_at(g)) != NULL; g++)
        for (unsigned i = 0; i < guest->assignment_count; i++) {
            const struct pci_function *function = guest->assignments[i]->function;
            audit_controls(audit, guest, function);
            PCI_FOR_EACH_UPWARD (at, function)
                if (audit_settled(at) && !acs_is_on(at))
                    audit_violation(
                        audit, "I4", audit_guest(guest), at->rid, at->cap_acs,
                        "ACS is off on the way to the IOMMU: requests could turn around below it");
        }
}
