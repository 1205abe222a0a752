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
/* An isolation group: all that can reach each other around the IOMMU, directly or through others,
 * in the table's order. Bridges are on the way, not in it. Found at boot (setup/pci_groups.c). */
struct acs_group {
    const struct pci_function *culprit; /* where the first two of them meet */
    size_t count;                       /* two or more */
    const struct pci_function *members[];
};
