/* SPDX-License-Identifier: MIT */
/* The configuration space that a guest sees of its function: a table of rules, one for each dword.
 * Except where a comment says otherwise, on the control core (x86/control_call.h). */
#pragma once

#include "hypervisor/assign/assignment.h"

#define CONFIG_CAP_MSIX 0x40 /* where the virtual capabilities lie */
#define CONFIG_CAP_PCIE 0x50
#define CONFIG_DWORDS   64 /* extended space reads as zero but for what view.h has of it */

/* Offset is below 4096 and aligned to width (1, 2, 4). Reads may run on any core. */
uint32_t virtual_config_read(const struct assignment *assignment, unsigned offset, unsigned width);
/* The same of a VF that the manager of a PF sees, by its requester id on the guest's bus; all ones
 * where there is none. Such VFs take no writes. */
uint64_t virtual_config_read_vf(const struct guest *guest, unsigned rid, unsigned offset,
                                unsigned width);
void virtual_config_write(struct assignment *assignment, unsigned offset, unsigned width,
                          uint32_t value);
