/* SPDX-License-Identifier: MIT */
/* Interrupt commands between vCPUs, and the fields of the interrupt command register in x2APIC mode
 * (SDM 3A 11.12.9). */
#pragma once

#include "hypervisor/base/core.h"

struct vcpu;

/* Bits 10:8 of the ICR and of local vector table entries: those that guests may send. */
enum icr_mode { ICR_FIXED = 0, ICR_NMI = 4, ICR_INIT = 5, ICR_STARTUP = 6 };

#define ICR_LOGICAL      BIT(11)
#define ICR_LEVEL_ASSERT BIT(14)

/* May a guest send a command of this kind at all? Whom it may reach is the guest code's to judge.
 */
bool icr_permitted(uint64_t icr);
/* Does a command written to the x2APIC's ICR by the core `sender` reach the core `apic_id`?
 * Physical and logical destinations, broadcast, shorthands (SDM 3A 11.12.9, 11.12.10). */
bool icr_addresses(uint64_t icr, uint32_t sender, uint32_t apic_id);
/* Carries out a command at one vCPU that it addresses: fixed, NMI, INIT or start-up. Any core. */
void vcpu_interrupt(struct vcpu *target, uint64_t icr);
