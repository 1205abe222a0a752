/* SPDX-License-Identifier: MIT */
/* What machine_check.c and setup/machine_check.c share. */
#pragma once

#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/machine_check.h"

/* By core: a hybrid CPU's cores differ. */
extern struct machine_check_support {
    unsigned banks; /* 0: no machine-check architecture */
    bool recovery;  /* MCG_CAP.MCG_SER_P */
    bool local;     /* LMCE is on */
} machine_check_supports[CPU_MAX];

#define MACHINE_CHECK_NOTES 16u /* of a core; a power of two */

struct machine_check_note {
    uint64_t status, address, misc, global;
    uint8_t bank, place, verdict;
};

extern struct machine_check_notes {
    struct machine_check_note note[MACHINE_CHECK_NOTES];
    volatile uint32_t written, read;
    volatile uint32_t dropped;
} machine_check_notes[CPU_MAX];

static inline struct machine_check_support *machine_check_support(void)
{
    return &machine_check_supports[cpu_current()->index];
}

/* Notes each valid bank and clears it, unless its error hit another thread; the worst verdict.
 * `global` is MCG_STATUS. */
enum machine_check machine_check_scan(enum machine_check_place place, uint64_t global);
