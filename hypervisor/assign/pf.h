/* SPDX-License-Identifier: MIT */
/* The configuration's PFs, by the number of their [nic] or [disk] section. setup/pfs.c fills the
 * table at boot. */
#pragma once

#include "hypervisor/pci/pf_driver.h"
#include "hypervisor/config/config.h"

struct pf {
    const struct config_nic *config;
    struct pci_function *function; /* NULL: not there */
    struct pf_device device;
    bool split; /* its VFs can be given away */
};

/* Section `index`, the last one so far and without a function; below CONFIG_MAX_NICS. */
struct pf *pf_add(uint32_t index, const struct config_nic *config);
/* The section that names the function, NULL for none. */
struct pf *pf_of(const struct pci_function *function);
struct pf_device *pf_device_at(uint32_t index); /* NULL: not there or not split */
struct pci_function *pf_function_at(uint32_t index);
/* What the configuration calls the function, "" for one that it does not name. */
const char *pf_name(const struct pci_function *function);
