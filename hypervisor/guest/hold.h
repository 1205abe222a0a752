/* SPDX-License-Identifier: MIT */
/* A guest's vCPUs out of guest mode, its functions as they are: what they send waits in memory,
 * interrupts wait in the cores. Time goes on. */
#pragma once

#include "hypervisor/assign/guest.h"

/* For the monitor: until guest_resume(). STATUS_NOT_FOUND when it does not run (or is not paused),
 * STATUS_BUSY when it is paused already, STATUS_TIMEOUT when a core does not come. */
MUST_CHECK enum status guest_pause(struct guest *guest);
MUST_CHECK enum status guest_resume(struct guest *guest);
/* The mechanism below both, which nests: between the two no vCPU of a running guest is in guest
 * mode, and afterwards each has forgotten what it cached of the memory tables. */
MUST_CHECK enum status guest_hold(struct guest *guest);
void guest_release(struct guest *guest);
