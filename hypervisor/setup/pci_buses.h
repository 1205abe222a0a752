/* SPDX-License-Identifier: MIT */
/*
 * Bus numbers for VFs. Behind a port that does not forward ARI, the first VF is on the bus after
 * its PF's, and firmware that knows no SR-IOV leaves none free there. Bus numbers are changed
 * before anything but the function table knows a requester id.
 */
#pragma once

#include "hypervisor/acpi/mcfg.h"
#include "hypervisor/config/parse.h"
#include "hypervisor/pci/rid.h"

/* For each PF that the configuration splits: when its VFs need buses that the bridge above does not
 * forward, gives that bridge (or one further up, with all behind it) a range with room for them.
 * The least is moved that makes room. What cannot be moved is as before; logs `pci.buses` for each
 * bridge, `pci.moved` for each function whose id changed, `sriov.refused` when no range is free.
 * Addresses in the configuration, which are firmware's, become those of now. After enumeration,
 * before anything is reset or given away; bus mastering is off. */
void pci_buses_make_room(struct config *config, const struct mcfg *mcfg);
/* The number that firmware's bus has now, for tables that were written before; -1 when firmware had
 * no function there, but now there is one. */
int pci_bus_now(uint16_t segment, uint8_t bus);
/* The id of the function that firmware had at this one; the same when there was none. */
rid_t pci_rid_now(rid_t rid);
