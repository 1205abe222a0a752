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

/* The guest accesses the register without an exit. Both back-ends fill their bitmaps from this, so
 * every such register is switched by the back-end or reset by guest_core_reset(). */
bool msr_policy_direct(uint32_t msr, bool write);
/* The first register from `msr` on that the policy knows; UINT32_MAX behind the last. */
uint32_t msr_policy_next(uint32_t msr);

/* An access that exited. False: the guest takes #GP(0). */
MUST_CHECK bool msr_policy_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
MUST_CHECK bool msr_policy_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);
