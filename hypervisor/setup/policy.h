/* SPDX-License-Identifier: MIT */
/* What the policies for guests have to know of this machine, found out once. */
#pragma once

#include "hypervisor/vcpu/policy/cpuid.h"
#include "hypervisor/vcpu/policy/msr.h"

/* Looks at highest leaves, extended state and control registers; after a back-end was selected. */
void cpuid_policy_init(cpuid_query *query);
/* Probes this core's APIC while its timer is off; call it before the bitmaps are built. */
void msr_policy_init(cpuid_query *query);

/* The guest accesses the register without an exit. Both back-ends fill their bitmaps from this, so
 * every such register is switched by the back-end or reset by guest_core_reset(). */
bool msr_policy_direct(uint32_t msr, bool write);
/* The first register from `msr` on that the policy knows; UINT32_MAX behind the last. */
uint32_t msr_policy_next(uint32_t msr);
