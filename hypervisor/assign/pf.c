/* SPDX-License-Identifier: MIT */
#include "hypervisor/assign/pf.h"

struct pf pfs[PF_MAX];

struct pf *pf_of(const struct pci_function *function)
{
    for (uint32_t i = 0; i < PF_MAX; i++)
        if (pfs[i].function == function)
            return &pfs[i];
    return NULL;
}

struct pf_device *pf_device_at(uint32_t index)
{
    return index < PF_MAX && pfs[index].split ? &pfs[index].device : NULL;
}

struct pci_function *pf_function_at(uint32_t index)
{
    return index < PF_MAX ? pfs[index].function : NULL;
}

const char *pf_name(const struct pci_function *function)
{
    const struct pf *pf = pf_of(function);
    return pf != NULL ? pf->device.name : "";
}
