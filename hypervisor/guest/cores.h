/* SPDX-License-Identifier: MIT */
/* Handing a guest's cores to their vCPUs, and getting them back. */
#pragma once

#include "hypervisor/assign/guest.h"

/* Each core that is idle begins with its vCPU (guest/core.c): it runs, or while `guest->scrubbing`
 * overwrites its share of memory. */
void guest_cores_begin(struct guest *guest);
/* All are back; those that died in the hypervisor itself (x86/exceptions.c) never come. */
bool guest_cores_back(const struct guest *guest);
/* Makes them leave guest mode. False: one did not within a second, or died. */
MUST_CHECK bool guest_cores_stop(struct guest *guest);
unsigned guest_cores_failed(const struct guest *guest);
/* None of them has stopped for good since the guest was created; else logs guest.refused. */
MUST_CHECK bool guest_cores_usable(const struct guest *guest);
