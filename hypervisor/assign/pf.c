/* SPDX-License-Identifier: MIT */
#include "hypervisor/assign/pf.h"

static struct pf pfs[CONFIG_MAX_NICS];
static uint32_t pf_count;

struct pf *pf_add(uint32_t index, const struct config_nic *config)
{
    pfs[index] = (struct pf){.config = config};
    pf_count = index + 1;
    return &pfs[index];
}

struct pf *pf_of(const struct pci_function *function)
{
    for (uint32_t i = 0; i < pf_count; i++)
        if (pfs[i].function == function)
            return &pfs[i];
    return NULL;
}

struct pf_device *pf_device_at(uint32_t index)
{
    return index < pf_count && pfs[index].split ? &pfs[index].device : NULL;
}

struct pci_function *pf_function_at(uint32_t index)
{
    return index < pf_count ? pfs[index].function : NULL;
}

const char *pf_name(const struct pci_function *function)
{
    const struct pf *pf = pf_of(function);
    return pf != NULL ? pf->config->name : "";
}
