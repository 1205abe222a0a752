/*
 * Model-specific registers of guests: one table says for each, and each direction, whether the
 * guest reaches the core's own register, an answer made up here, or nothing (#GP). What the table
 * does not name is denied.
 */
#pragma once

#include "hypervisor/base/core.h"

struct cpuid_result;
struct vcpu;

/* Probes this core's APIC while its timer is off; call it before the bitmaps are built. */
void msr_policy_init(struct cpuid_result (*read)(uint32_t leaf, uint32_t subleaf));
/* The guest accesses the register without an exit. Both back-ends fill their bitmaps from this, so
 * every such register is switched by the back-end or reset by guest_core_reset(). */
bool msr_policy_direct(uint32_t msr, bool write);
/* The first register from `msr` on that the policy knows; UINT32_MAX behind the last. */
uint32_t msr_policy_next(uint32_t msr);

/* An access that exited. False: the guest takes #GP(0). */
MUST_CHECK bool msr_policy_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
MUST_CHECK bool msr_policy_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);
