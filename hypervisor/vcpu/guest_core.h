/* SPDX-License-Identifier: MIT */
/*
 * What a core holds of a guest outside the VMCS or VMCB: extended state, debug registers, a few
 * MSRs. The hypervisor uses none of it, so it stays in the core while the guest runs and is set to
 * its reset value before and after.
 */
#pragma once

#include "hypervisor/base/core.h"

void guest_core_reset(void);
/* The debug registers alone: INIT resets them but not the rest (SDM 3A table 10-1). */
void guest_core_reset_debug(void);
/* XSETBV 0; the value has passed the policy. */
void guest_core_set_xcr0(uint64_t value);
