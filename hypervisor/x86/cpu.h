/* SPDX-License-Identifier: MIT */
/*
 * Cores: their private data, their stacks, and how the control core reaches them.
 * Core 0 is the control core (monitor, faults, PF drivers, life cycle); each other core either
 * idles or runs exactly one vCPU.
 */
#pragma once

#include "hypervisor/base/core.h"
#include "hypervisor/base/this_core.h"

struct vcpu;

/* Retired: out of service after a machine check, but what ran there ended properly. */
enum cpu_state { CPU_ABSENT, CPU_STARTING, CPU_IDLE, CPU_GUEST, CPU_FAILED, CPU_RETIRED };

struct cpu {
    struct cpu *self;            /* GS:0 */
    uint64_t scratch;            /* GS:8, for assembly */
    uint32_t index;              /* 0 = control core */
    uint32_t apic_id;            /* x2APIC id */
    volatile uint32_t state;     /* enum cpu_state */
    volatile uint32_t nmi_count; /* NMIs taken in the hypervisor itself */
    struct vcpu *volatile vcpu;  /* what this core is to run, or NULL */
    uintptr_t stack_top;
    uint64_t interrupt_count; /* interrupts taken by the hypervisor on this core */
    uint32_t nmi_seen;        /* nmi_count when cpu_wait() last returned */
    bool corrupt;             /* a machine check said so: to be retired */
};

/* This core's own; valid from cpu_init_early() / the AP's entry on. */
struct cpu *cpu_current(void);
struct cpu *cpu_at(unsigned index); /* NULL past the last one */

/* NMI to another core: makes a vCPU leave guest mode, or wakes an idle core. */
void cpu_kick(struct cpu *cpu);
/* Waits with interrupts open until this core is kicked or interrupted. Returns at once when a kick
 * came since the last return, so `while (!condition) cpu_wait();` loses none. Interrupts are off
 * before and after; on the control core they are taken nowhere else. */
void cpu_wait(void);

NO_RETURN void cpu_halt_forever(void);
