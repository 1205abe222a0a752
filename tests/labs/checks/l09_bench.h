/* SPDX-License-Identifier: MIT */
/* The real policy for MSRs, read entry by entry apart from the functions that are checked, and what
 * its table refers to. */
#pragma once

#include <stdio.h>
#include <string.h>

#include "hypervisor/setup/policy.h"
#include "hypervisor/vcpu/backend.h"
#include "hypervisor/vcpu/events.h"
#include "hypervisor/vcpu/interrupt.h"
#include "hypervisor/vcpu/policy/cpuid.h"
#include "hypervisor/vcpu/policy/msr.h"
#include "hypervisor/x86/cpu.h"
#include "tests/labs/checks/check.h"
#include "tests/unit/support/host.h"

struct cpuid_machine cpuid_machine;
const struct vcpu_backend *vcpu_selected;
const struct vcpu_events *vcpu_selected_events;

bool msr_write_safe(uint32_t msr, uint64_t value)
{
    return false;
}

bool msr_read_safe(uint32_t msr, uint64_t *value)
{
    return false;
}

bool icr_permitted(uint64_t value)
{
    return false;
}

/* What the table gives: DENY for what it does not name. */
static inline enum msr_access access_of(uint32_t msr, bool write)
{
    for (size_t i = 0; i < msr_rule_count; i++)
        if (msr >= msr_rules[i].first && msr <= msr_rules[i].last)
            return write ? msr_rules[i].write : msr_rules[i].read;
    return DENY;
}

static inline bool is_direct(uint32_t msr, bool write)
{
    enum msr_access access = access_of(msr, write);
    return access == DIRECT || (access == DIRECT_IF_PROBED && msr_machine.timer_entry_direct);
}

/* In a sentence: "policy denies it". */
static inline const char *policy_says(uint32_t msr, bool write)
{
    switch (access_of(msr, write)) {
    case DIRECT:
        return "policy grants it (DIRECT)";
    case EMULATE:
        return "policy answers it itself (EMULATE)";
    case DIRECT_IF_PROBED:
        return msr_machine.timer_entry_direct
                   ? "policy grants it on this machine (DIRECT_IF_PROBED)"
                   : "policy does not grant it on this machine, whose APIC failed the probe "
                     "(DIRECT_IF_PROBED)";
    default:
        return "policy denies";
    }
}
