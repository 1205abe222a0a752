/* SPDX-License-Identifier: MIT */
/* Filling a guest's memory before each start: nothing of a former run or owner is left in it. */
#pragma once

#include "hypervisor/abi/start.h"
#include "hypervisor/assign/guest.h"

#define LOAD_MODULES 128 /* BOOT_MAX_MODULES */

/* The files that the loader brought. They stay mapped, read-only: a restart loads them again.
 * Filled in at boot (setup/modules.c). */
extern struct load_modules {
    struct {
        char name[64];
        uint64_t size; /* bytes */
        const void *bytes;
    } module[LOAD_MODULES];
    unsigned count;
} load_modules;

/* Are the guest's image and initial RAM disk there, and do they fit into its memory? Logs
 * guest.refused. What is in them only its start stub looks at. */
MUST_CHECK enum status load_check(const struct guest *guest);
/* Scrubs what is not clean, copies start stub, image and initial RAM disk (abi/start.h), and sets
 * the first vCPU's start state. Logs guest.refused with the reason on failure. */
MUST_CHECK enum status load_guest(struct guest *guest, struct vcpu_state *start);
/* Logs guest.refused with what its start stub has said. */
void load_refused(const struct guest *guest, const struct abi_refusal *refusal);
