/* SPDX-License-Identifier: MIT */
/* The MSI-X table that a guest sees of its function: the guest's own values, which never reach the
 * device. Except where a comment says otherwise, on the control core (x86/control_call.h). */
#pragma once

#include "hypervisor/assign/assignment.h"

/* True when the guest-physical address lies in a page that holds the device's MSI-X table. */
bool virtual_msix_covers(const struct assignment *assignment, uint64_t address);
/* True when an access there, in such a page, goes to the device's own registers beside the table.
 * The guest's own core makes it: a register that is slow to answer keeps nobody else waiting. */
bool virtual_msix_passes(const struct assignment *assignment, uint64_t address);
/* Access inside such a page: to the table (virtual), to the PBA and other registers that share the
 * page (passed through; MSI-X PBA read-only). */
uint64_t virtual_msix_read(const struct assignment *assignment, uint64_t address, unsigned width);
void virtual_msix_write(struct assignment *assignment, uint64_t address, unsigned width,
                        uint64_t value);
/* After a change of the function's MSI-X enable or mask bits. */
void virtual_msix_update(struct assignment *assignment);
