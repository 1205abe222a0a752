/* SPDX-License-Identifier: MIT */
/* What follows when a PF's driver cannot reach its device any more. */
#pragma once

#include "hypervisor/assign/guest.h"
#include "hypervisor/pci/pf_driver.h"

/* Once the driver has lost the PF: it and its VFs are unusable. So are the VFs when the guest that
 * drives the PF has ended (owner_lost = quarantine) or is lost. Their guests lose the VFs' context
 * entries first, whether or not the device heeds anybody, then their registers, and run on. Logs
 * device.blocked. Does nothing for another PF. */
void pf_block_lost(const struct pf_device *pf);
/* The guest that drives the card of a VF of this guest, and is ending, so that this guest has to
 * end as well (owner_lost = reset); NULL for none. */
const struct guest *pf_ending_manager(const struct guest *guest);
