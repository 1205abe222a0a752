/*
 * Machine checks: SDM 3B 16, APM 2 9. Whoever is hit, a guest or the hypervisor, has the banks of
 * its core read, noted and cleared here, so that the next machine check finds room; the control
 * core logs what was noted.
 */
#pragma once

#include "hypervisor/base/core.h"

enum machine_check {
    MACHINE_CHECK_HARMLESS, /* nothing of what ran here is lost: it goes on */
    MACHINE_CHECK_FATAL,    /* what ran here cannot go on; the core can */
    MACHINE_CHECK_CORE,     /* nor can the core */
};
enum machine_check_place {
    MACHINE_CHECK_IN_GUEST,
    MACHINE_CHECK_IN_HYPERVISOR,
    MACHINE_CHECK_BEFORE_BOOT,
};

/* Boot only, each core for itself, before CR4.MCE is set: notes what firmware left in the banks,
 * enables all errors of all banks, and local delivery (LMCE) where firmware permits it. */
void machine_check_enable(void);
/* Boot only: one line about the boot core. */
void machine_check_log_support(void);

/* A machine check on this core waits to be looked at (MCG_STATUS.MCIP). */
bool machine_check_pending(void);
/* Reads, notes and clears this core's banks; what that means for the one it interrupted. Locks
 * nothing and logs nothing: #MC may interrupt the log itself. */
enum machine_check machine_check_take(enum machine_check_place place);
/* Logs what the cores have noted. `dying`: on a control core that will not come to it again. */
void machine_check_report(bool dying);
