/* SPDX-License-Identifier: MIT */
/* Boot: the configuration's PFs and their virtual functions. */
#pragma once

#include "hypervisor/config/parse.h"

/* Finds each [nic] and [disk] section's function, gives those with `vfs` to their driver and sets
 * VF Enable, without waiting for the VFs. Logs nic.refused. */
void pfs_prepare(const struct config *config);
/* Waits for what is left of the 100 ms and verifies the VFs; logs sriov.vf or nic.refused. */
void pfs_verify(void);
