/* SPDX-License-Identifier: MIT */
/* Requester ids of VFs: ARI, offset, stride, bus numbers. Used by sriov.c only. */
#pragma once

#include "hypervisor/setup/pci_sriov.h"

/* Logs `sriov.refused` for a register of the SR-IOV capability and returns `status`. */
enum status sriov_refuse(const struct pci_function *pf, unsigned offset, uint32_t value,
                         enum status status, const char *message);
/* pci_vf_probe.c: reads registers of the VF in each of its BARs, which decode. False, with the
 * reason logged, when all that is read is ones. */
MUST_CHECK bool sriov_registers_answer(const struct sriov *sriov, const struct pci_function *vf);
/* Turns on ARI in the port above and in the device (PCIe 6.13, 9.3.3.3.5); whether VFs may now use
 * all 8 bits of device and function number. VF Enable is clear. */
bool sriov_enable_ari(const struct pci_function *pf);
/* The bus of the last of `vfs` VFs, with ARI where it can be had. False when the capability gives
 * no sense. VF Enable is clear; NumVFs is 0 afterwards. */
MUST_CHECK bool sriov_last_bus(const struct pci_function *pf, uint16_t vfs, unsigned *bus);
/* That the first `vfs` ids are reachable and collide with nothing. Logs the refusal. */
MUST_CHECK enum status sriov_check_ids(const struct sriov *sriov, uint16_t vfs);
