/* SPDX-License-Identifier: MIT */
/* What shared code asks about the core that runs it. Host tests answer themselves. */
#pragma once

#include "hypervisor/base/core.h"

#define CPU_MAX 512

/* This core's index; 0 is the control core. */
unsigned this_core(void);
unsigned cpu_count(void); /* cores that came up, the control core included */

/* Clears RFLAGS.IF and tells whether it was set; interrupts_restore() takes that back. */
MUST_CHECK bool interrupts_disable(void);
void interrupts_restore(bool were_enabled);
