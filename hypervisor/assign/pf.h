/* SPDX-License-Identifier: MIT */
/* The configuration's PFs, by the number of their [nic] or [disk] section. setup/pfs.c fills the
 * table at boot. */
#pragma once

#include "hypervisor/pci/pf_driver.h"

#define PF_MAX 8 /* CONFIG_MAX_NICS */

extern struct pf {
    struct pci_function *function; /* NULL: not there */
    struct pf_device device;       /* without VFs only the name */
    bool split;                    /* its VFs can be given away */
} pfs[PF_MAX];

/* The section that names the function, NULL for none. */
struct pf *pf_of(const struct pci_function *function);
struct pf_device *pf_device_at(uint32_t index); /* NULL: not there or not split */
struct pci_function *pf_function_at(uint32_t index);
/* What the configuration calls the function, "" for one that it does not name. */
const char *pf_name(const struct pci_function *function);
