/* SPDX-License-Identifier: MIT */
/* Filling a guest's memory before each start: nothing of a former run or owner is left in it. */
#pragma once

#include "hypervisor/abi/start.h"
#include "hypervisor/assign/guest.h"

/* Scrubs what is not clean, copies start stub, image and initial RAM disk (abi/start.h) as
 * setup/load.c has prepared them, and sets the first vCPU's start state. Logs guest.refused with
 * the reason on failure. */
MUST_CHECK enum status load_guest(struct guest *guest, struct vcpu_state *start);
/* Logs guest.refused with what its start stub has said. */
void load_refused(const struct guest *guest, const struct abi_refusal *refusal);
/* Both log guest.refused with the place in the configuration, and return `status`. */
MUST_CHECK enum status load_refuse_image(const struct guest *guest, enum status status,
                                         const char *message);
MUST_CHECK enum status load_refuse_initrd(const struct guest *guest, enum status status,
                                          uint64_t size, const char *message);
