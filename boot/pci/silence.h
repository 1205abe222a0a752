/* SPDX-License-Identifier: MIT */
/* Bus mastering off, through the configuration ports, before any memory is used. */
#pragma once

#include "hypervisor/pci/discovery.h"

/* Takes bus mastering away from every function of segment 0 that is no bridge, through ports 0xcf8
 * and 0xcfc. Buses that no bridge leads to (other roots, which big machines have) are tried one by
 * one with `all_buses`: 8192 reads of a microsecond each, or of far more where every one leaves a
 * virtual machine. What it found mastering the bus is added to `found`, a bit for each requester
 * id, which must stay. */
void pci_silence(bool all_buses, uint64_t found[PCI_REQUESTERS / 64]);
/* Whether it, or the loader before, found this function mastering the bus. */
bool pci_silenced(rid_t rid);
