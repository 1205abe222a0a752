/* SPDX-License-Identifier: MIT */
/* Overwriting a guest's memory: once it is created, and after each end. */
#pragma once

#include "hypervisor/assign/guest.h"

/* Lets the guest's own cores, which are idle, overwrite its memory with zeros, a share each. */
void scrub_begin(struct guest *guest);
/* False as long as they are at it. What they left undone, this core does: `memory_clean` says
 * afterwards whether that went well. */
MUST_CHECK bool scrub_over(struct guest *guest);
/* A vCPU's share, on its core; `memory` is all of its guest's. Given up when the guest is refused.
 */
void scrub_share(const struct vcpu *vcpu, uint8_t *memory);
/* All of it on this core. STATUS_NO_MEMORY: it cannot be mapped; STATUS_DENIED: it is refused. */
MUST_CHECK enum status scrub_now(struct guest *guest);
