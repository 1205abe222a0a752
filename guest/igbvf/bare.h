/* SPDX-License-Identifier: MIT */
/*
 * The bare machine has no hypervisor that makes virtual functions: there the program does it, with
 * the first 82576 on bus 0, before what it measures begins. So does a guest that owns a PF.
 * Registers as in drivers/igb.
 */
#pragma once

#include "guest/runtime/runtime.h"

/* The PF and where its SR-IOV capability is, before anything is done to it; false without one. */
bool bare_find(struct pci_device *device, unsigned *capability);
/* The VF of that number of two; false, having printed why, when it cannot be had. */
bool bare_vf(unsigned number, struct pci_device *vf);
/* Answers what the VFs have asked in their mailboxes: the PF's part of the reset handshake. */
void bare_serve(void);
