/* SPDX-License-Identifier: MIT */
/* What the policies for guests have to know of this machine, found out once. */
#pragma once

#include "hypervisor/vcpu/policy/cpuid.h"
#include "hypervisor/vcpu/policy/msr.h"

/* Looks at highest leaves, extended state and control registers; after a back-end was selected. */
void cpuid_policy_init(cpuid_query *query);
/* Probes this core's APIC while its timer is off; call it before the bitmaps are built. */
void msr_policy_init(cpuid_query *query);
