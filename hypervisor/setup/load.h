/* SPDX-License-Identifier: MIT */
/* What guests load: the loader's files, and what of them goes where in a guest's memory. */
#pragma once

#include "hypervisor/assign/guest.h"

#define LOAD_MODULES 128 /* BOOT_MAX_MODULES */

/* The files that the loader brought. They stay mapped, read-only: a restart loads them again.
 * Filled in by modules.c. */
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
/* Writes to `start` what load_guest() copies at each start, once all guests' memory and the guest's
 * windows for BARs are settled: its arguments may name either. Errors of load_check();
 * STATUS_FULL. All logged. */
MUST_CHECK enum status load_prepare(struct guest *guest);
