/*
 * Cores: their private data, their stacks, and how the control core reaches them.
 * Core 0 is the control core (monitor, faults, PF drivers, life cycle); each other core either
 * idles or runs exactly one vCPU.
 */
#pragma once

#include "hypervisor/base/core.h"

#define CPU_MAX 64

struct vcpu;

enum cpu_state { CPU_ABSENT, CPU_STARTING, CPU_IDLE, CPU_GUEST, CPU_FAILED };

struct cpu {
    struct cpu *self;            /* GS:0 */
    uint64_t scratch;            /* GS:8, for assembly */
    uint32_t index;              /* 0 = control core */
    uint32_t apic_id;            /* x2APIC id */
    volatile uint32_t state;     /* enum cpu_state */
    volatile uint32_t nmi_count; /* NMIs taken in the hypervisor itself */
    struct vcpu *volatile vcpu;  /* what this core is to run, or NULL */
    uintptr_t stack_top;
    uint64_t interrupt_count;    /* interrupts taken by the hypervisor on this core */
};

/* This core's own; valid from cpu_init_boot() / the AP's entry on. */
struct cpu *cpu_current(void);
struct cpu *cpu_at(unsigned index); /* NULL past the last one */
unsigned cpu_count(void);           /* cores that came up, the control core included */

/* Descriptor tables, exception handlers, per-core data and the local APIC of the boot core. */
MUST_CHECK enum status cpu_init_boot(void);
/* Starts every enabled core that the MADT lists (INIT, SIPI, SIPI); each runs `entry` once it has
 * tables and a stack of its own. Cores that do not answer within their time are logged and left
 * out. STATUS_UNSUPPORTED when more cores are listed than CPU_MAX (the rest stay off). */
MUST_CHECK enum status cpu_start_all(void (*entry)(struct cpu *cpu));

/* NMI to another core: makes a vCPU leave guest mode, or wakes an idle core. */
void cpu_kick(struct cpu *cpu);
/* Idle cores wait here until they are kicked or interrupted. */
void cpu_wait(void);

/* Vectors that the hypervisor uses on the control core. */
enum vector {
    VECTOR_TIMER = 0xf0,
    VECTOR_IOMMU_FAULT = 0xf1,
    VECTOR_PF = 0xf2,      /* PF driver's mailbox interrupt */
    VECTOR_WAKE = 0xf3,
    VECTOR_SPURIOUS = 0xff,
};
/* `handler` runs with interrupts off; EOI is done after it. */
void interrupt_register(uint8_t vector, void (*handler)(void *context), void *context);

/* A periodic interrupt on the control core. */
void timer_start(uint64_t period_microseconds);

NO_RETURN void cpu_halt_forever(void);
/* ACPI reset register, keyboard controller, triple fault, in this order. */
NO_RETURN void machine_reboot(void);
/* QEMU's isa-debug-exit (when `debug_exit` is not 0), ACPI S5 from the FADT/DSDT, Bochs' port
 * 0x8900; then halts. */
NO_RETURN void machine_power_off(uint8_t debug_exit);
