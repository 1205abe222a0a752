/* SPDX-License-Identifier: MIT */
#include "hypervisor/pci/sriov.h"

#include "hypervisor/pci/acs.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"

#define SYSTEM_PAGE_4K BIT(0)

/* The PF's next VF from place *index of the table on. */
static struct pci_function *next_vf(const struct pci_function *pf, size_t *index)
{
    struct pci_function *function;
    while ((function = pci_function_at((*index)++)) != NULL)
        if (function->is_vf && function->pf == pf)
            return function;
    return NULL;
}

bool pci_vfs_connected(const struct pci_function *pf)
{
    const struct pci_function *vf;
    for (size_t i = 0; (vf = next_vf(pf, &i)) != NULL;)
        if (pci_connected(vf))
            return true;
    return false;
}

bool pci_sriov_holds(const struct pci_function *pf)
{
    const struct pci_function *vf;
    bool holds = pci_read16(pf->rid, pf->cap_sriov + SRIOV_CONTROL) == pf->sriov_control &&
                 pci_read16(pf->rid, pf->cap_sriov + SRIOV_NUM_VFS) == pf->num_vfs;
    for (size_t i = 0; (vf = next_vf(pf, &i)) != NULL;)
        holds = holds && pci_bars_hold(vf);
    return holds;
}

static void restore_bars(const struct pci_function *pf, const struct pci_function *first)
{
    for (unsigned i = 0; i < PCI_BARS; i++) {
        const struct pci_bar *bar = &first->bar[i];
        unsigned offset = pf->cap_sriov + SRIOV_VF_BAR0 + 4 * i;
        if (bar->size == 0)
            continue;
        pci_config_write(pf->rid, offset, 4, (uint32_t)bar->base);
        if (bar->is_64bit)
            pci_config_write(pf->rid, offset + 4, 4, (uint32_t)(bar->base >> 32));
    }
}

void pci_sriov_restore(const struct pci_function *pf)
{
    const struct pci_function *vf;
    const uint64_t on = SRIOV_CONTROL_VF_ENABLE | SRIOV_CONTROL_VF_MEMORY;
    unsigned control = pf->cap_sriov + SRIOV_CONTROL;
    /* What the rest depends on comes first (9.3.3.3): ARI, the page size, the number. */
    pci_config_write(pf->rid, control, 2, pf->sriov_control & (uint32_t)~on);
    pci_config_write(pf->rid, pf->cap_sriov + SRIOV_SYSTEM_PAGE, 4, (uint32_t)SYSTEM_PAGE_4K);
    pci_config_write(pf->rid, pf->cap_sriov + SRIOV_NUM_VFS, 2, pf->num_vfs);
    for (size_t i = 0; (vf = next_vf(pf, &i)) != NULL;)
        if (vf->vf_index == 0)
            restore_bars(pf, vf);
    pci_config_write(pf->rid, control, 2, pf->sriov_control);
}

void pci_vfs_restore(const struct pci_function *pf)
{
    const struct pci_function *vf;
    for (size_t i = 0; (vf = next_vf(pf, &i)) != NULL;) {
        acs_enable(vf);
        pci_update16(vf->rid, PCI_COMMAND, PCI_COMMAND_BUS_MASTER, PCI_COMMAND_MEMORY);
    }
}
