/* SPDX-License-Identifier: MIT */
/* Access Control Services (PCIe 6.12): who reaches whom without passing the IOMMU. */
#pragma once

#include "hypervisor/pci/function.h"

/* Redirects peer-to-peer requests upstream where the function can do that. A reset clears it. */
void acs_enable(const struct pci_function *function);
/* Whether what acs_enable() sets is set, as the function's registers say now. */
bool acs_is_on(const struct pci_function *function);
/* Whether requests of `from` may arrive at `to` without passing the IOMMU: inside a device of
 * several functions, at a switch without ACS, on a conventional bus. *culprit is where (a bridge,
 * or `from` itself), NULL when they cannot. */
bool acs_reaches(const struct pci_function *from, const struct pci_function *to,
                 const struct pci_function **culprit);
/* The isolation group of a function of the table: all that can reach each other around the IOMMU,
 * directly or through others. Bridges are on the way, not in it. */
struct acs_group {
    uint16_t members[PCI_MAX_FUNCTIONS]; /* pci_function_at(), `first` foremost */
    size_t count;
    const struct pci_function *culprit; /* where the first of them meet; NULL for a group of one */
};
void acs_group(const struct pci_function *first, struct acs_group *group);
