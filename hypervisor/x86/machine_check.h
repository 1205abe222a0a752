/* SPDX-License-Identifier: MIT */
/*
 * Machine checks: SDM 3B 16, APM 2 9. Whether a guest or the hypervisor is hit, the core's banks
 * are read, noted and cleared here, so that the next machine check finds room; the control core
 * logs what was noted.
 */
#pragma once

#include "hypervisor/base/core.h"

enum machine_check {
    MACHINE_CHECK_HARMLESS, /* nothing that ran here is lost: it continues */
    MACHINE_CHECK_FATAL,    /* what ran here cannot continue; the core can */
    MACHINE_CHECK_CORE,     /* neither can the core */
};
enum machine_check_place {
    MACHINE_CHECK_IN_GUEST,
    MACHINE_CHECK_IN_HYPERVISOR,
    MACHINE_CHECK_BEFORE_BOOT,
};

/* A machine check on this core has not been handled yet (MCG_STATUS.MCIP). */
bool machine_check_pending(void);
/* Reads, notes and clears this core's banks; returns what that means for what was interrupted.
 * Banks whose error hit another thread are left to that one; a machine check that has been taken
 * already means nothing. Locks nothing and logs nothing: #MC may interrupt the log itself. */
enum machine_check machine_check_take(enum machine_check_place place);
/* Logs what the cores have noted. `dying`: the control core will not get to do it again. */
void machine_check_report(bool dying);
