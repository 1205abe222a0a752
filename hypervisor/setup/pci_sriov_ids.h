/* SPDX-License-Identifier: MIT */
/* Requester ids of VFs: ARI, offset, stride, bus numbers. Used by sriov.c only. */
#pragma once

#include "hypervisor/setup/pci_sriov.h"

/* Logs `sriov.refused` for a register of the SR-IOV capability and returns `status`. */
enum status sriov_refuse(const struct pci_function *pf, unsigned offset, uint32_t value,
                         enum status status, const char *message);
/* Turns on ARI in the port above and in the device (PCIe 6.13, 9.3.3.3.5); whether VFs may now use
 * all 8 bits of device and function number. VF Enable is clear. */
bool sriov_enable_ari(const struct pci_function *pf);
/* That the first `vfs` ids are reachable and collide with nothing. Logs the refusal. */
MUST_CHECK enum status sriov_check_ids(const struct sriov *sriov, uint16_t vfs);
