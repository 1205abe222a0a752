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

uint32_t msr_policy_next(uint32_t msr)
{
    for (size_t i = 0; i < msr_rule_count; i++)
        if (msr <= msr_rules[i].last)
            return MAX(msr, msr_rules[i].first);
    return UINT32_MAX;
}

bool msr_policy_direct(uint32_t msr, bool write)
{
    const struct msr_rule *rule = msr_rule_of(msr);
    enum msr_access access = rule == NULL ? DENY : write ? rule->write : rule->read;
    return access == DIRECT || (access == DIRECT_IF_PROBED && msr_machine.timer_entry_direct);
}
