/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/pci_functions.h"

#include "hypervisor/base/string.h"

static bool used[PCI_MAX_FUNCTIONS]; /* of the slots */

void pci_functions_clear(void)
{
    memset(used, 0, sizeof used);
    pci_functions.count = 0;
}

struct pci_function *pci_function_add(const struct pci_function *function)
{
    if (pci_function_find(function->rid) != NULL)
        return NULL;
    for (size_t i = 0; i < PCI_MAX_FUNCTIONS; i++) {
        if (used[i])
            continue;
        used[i] = true;
        pci_functions.slots[i] = *function;
        pci_functions.order[pci_functions.count++] = &pci_functions.slots[i];
        return &pci_functions.slots[i];
    }
    return NULL;
}

void pci_functions_remove_vfs(const struct pci_function *pf)
{
    size_t kept = 0;
    for (size_t i = 0; i < pci_functions.count; i++) {
        struct pci_function *function = pci_functions.order[i];
        if (function->is_vf && function->pf == pf)
            used[function - pci_functions.slots] = false;
        else
            pci_functions.order[kept++] = function;
    }
    pci_functions.count = kept;
}

int pci_secondary_bus(uint16_t segment, uint16_t rid, void *context)
{
    (void)context;
    const struct pci_function *function = pci_function_find((rid_t)segment << 16 | rid);
    return function != NULL && function->is_bridge ? function->secondary_bus : -1;
}
