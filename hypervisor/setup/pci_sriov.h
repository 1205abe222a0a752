/* SPDX-License-Identifier: MIT */
/*
 * SR-IOV mechanics (PCIe 9): what is the same for every PF. Sizes and places the VF BARs, sets ARI,
 * NumVFs and VF Enable, and verifies that the VFs answer. Drivers come in before (start of the PF)
 * and after (their own registers).
 */
#pragma once

#include "hypervisor/pci/sriov.h"

/* Reads the capability and checks it: TotalVFs, offsets that collide with the PF, RIDs that leave
 * the bus range the bridge forwards, supported page sizes. Every refusal is logged as
 * `sriov.refused pf= offset= value= message=`. */
MUST_CHECK enum status sriov_probe(struct pci_function *pf, struct sriov *sriov);
/* RID of VF `index` with the carry into the bus number (PCIe 9.2.1.2). */
rid_t sriov_vf_rid(const struct sriov *sriov, uint16_t index);
/* Places VF BARs if the firmware did not (inside the upstream bridge's windows and free of other
 * functions' BARs), sets System Page Size, ARI, NumVFs, VF Enable and VF MSE, and starts the 100
 * ms; other work goes on meanwhile. */
MUST_CHECK enum status sriov_enable(struct sriov *sriov, uint16_t vfs);
/* Waits for what is left of the 100 ms, verifies that each VF answers, adds the VFs to the function
 * table and logs `sriov.enabled` and `sriov.vf` lines. On failure VF Enable is cleared again. */
MUST_CHECK enum status sriov_verify(struct sriov *sriov);
/* Clears VF Enable, waits, removes the VFs. They must have no owner. */
MUST_CHECK enum status sriov_disable(struct sriov *sriov);
