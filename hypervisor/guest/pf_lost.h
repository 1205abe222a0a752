/* SPDX-License-Identifier: MIT */
/* What follows when a PF's driver cannot reach its device any more. */
#pragma once

#include "hypervisor/pci/pf_driver.h"

/* Once the driver has lost the PF: it and its VFs are unusable. Their guests lose the VFs' context
 * entries first, whether or not the device heeds anybody, then their registers, and run on. Logs
 * device.blocked. Does nothing for another PF. */
void pf_block_lost(const struct pf_device *pf);
