/* SPDX-License-Identifier: MIT */
/*
 * Model-specific registers of guests: one table says for each, and each direction, whether the
 * guest reaches the core's own register, an answer made up here, or nothing (#GP). What the table
 * does not name is denied.
 */
#pragma once

#include "hypervisor/base/core.h"

struct vcpu;

#define MSR_LVT_TIMER 0x832
#define LVT_MASKED    BIT(16)

/* What this machine does: hypervisor/setup/msr_policy.c finds out. */
extern struct msr_machine {
    bool has_tsc_deadline;
    /* The core's own APIC raises #GP for reserved bits in the timer's entry, as SDM 3A 11.12.1.2
     * requires, so the guest may write it without an exit. */
    bool timer_entry_direct;
} msr_machine;

enum msr_access { DENY, DIRECT, EMULATE, DIRECT_IF_PROBED /* else emulated */ };

extern const struct msr_rule {
    uint32_t first, last;
    enum msr_access read, write;
    uint64_t value; /* read when there is no function; writes without a function are dropped */
    uint64_t (*on_read)(struct vcpu *vcpu);
    bool (*on_write)(struct vcpu *vcpu, uint32_t msr, uint64_t value);
} msr_rules[]; /* ascending */
extern const size_t msr_rule_count;
/* NULL: denied. */
const struct msr_rule *msr_rule_of(uint32_t msr);

/* An access that exited. False: the guest takes #GP(0). */
MUST_CHECK bool msr_policy_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
MUST_CHECK bool msr_policy_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);
