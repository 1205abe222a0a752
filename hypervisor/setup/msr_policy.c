/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/policy.h"

#define CPUID_1_ECX_TSC_DEADLINE BIT(24)
#define LVT_SMI                  BIT(9) /* a delivery mode, which the timer's entry does not have */

void msr_policy_init(cpuid_query *query)
{
    uint64_t before;
    msr_machine.has_tsc_deadline = (query(1, 0).ecx & CPUID_1_ECX_TSC_DEADLINE) != 0;
    msr_machine.timer_entry_direct = false;
    if (!msr_read_safe(MSR_LVT_TIMER, &before))
        return;
    msr_machine.timer_entry_direct = !msr_write_safe(MSR_LVT_TIMER, LVT_MASKED | LVT_SMI);
    (void)!msr_write_safe(MSR_LVT_TIMER, before); /* it could be read */
}
