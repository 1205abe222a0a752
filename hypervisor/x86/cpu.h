/*
 * Cores: their private data, their stacks, and how the control core reaches them.
 * Core 0 is the control core (monitor, faults, PF drivers, life cycle); each other core either
 * idles or runs exactly one vCPU.
 */
#pragma once

#include "hypervisor/acpi/acpi.h"
#include "hypervisor/base/core.h"
#include "hypervisor/base/this_core.h"

struct vcpu;

/* Retired: out of order after a machine check, but what ran there ended properly. */
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

/* Control registers, descriptor tables, exception handlers and per-core data of the boot core:
 * the first thing to call; needs no memory management. */
void cpu_init_early(void);
/* After address_space_init(): exception stacks between guard pages, the local APIC, the 8259s
 * masked. STATUS_NO_MEMORY; STATUS_UNSUPPORTED without an APIC. */
MUST_CHECK enum status cpu_init_boot(void);
/* Starts every enabled core that the MADT lists (INIT, SIPI, SIPI); each runs `entry` once it has
 * tables and a stack of its own. Cores that do not answer within their time are logged and left
 * out. STATUS_UNSUPPORTED when more cores are listed than CPU_MAX (the rest stay off),
 * STATUS_NO_MEMORY; the cores that did start are usable in any case. */
MUST_CHECK enum status cpu_start_all(const struct madt *madt, void (*entry)(struct cpu *cpu));

/* NMI to another core: makes a vCPU leave guest mode, or wakes an idle core. */
void cpu_kick(struct cpu *cpu);
/* Waits with interrupts open until this core is kicked or interrupted. Returns at once when a kick
 * came since the last return, so `while (!condition) cpu_wait();` loses none. Interrupts are off
 * before and after; on the control core they are taken nowhere else. */
void cpu_wait(void);

/* Vectors that the hypervisor uses on the control core. */
enum vector {
    VECTOR_TIMER = 0xf0,
    VECTOR_IOMMU_FAULT = 0xf1,
    VECTOR_PF = 0xf2, /* PF driver's mailbox interrupt */
    VECTOR_WAKE = 0xf3,
    VECTOR_SPURIOUS = 0xff,
};
/* `handler` runs with interrupts off; EOI is done after it. */
void interrupt_register(uint8_t vector, void (*handler)(void *context), void *context);

/* A periodic interrupt on the control core. */
void timer_start(uint64_t period_microseconds);

NO_RETURN void cpu_halt_forever(void);

/* Notes (and maps) what the next two need. `slp_typ_*` are from dsdt_find_s5(); without it
 * (`has_s5` false) ACPI power-off is not tried. `fadt` may be NULL. */
void power_init(const struct fadt *fadt, bool has_s5, uint8_t slp_typ_a, uint8_t slp_typ_b);
/* ACPI reset register, keyboard controller, triple fault, in this order. */
NO_RETURN void machine_reboot(void);
/* QEMU's isa-debug-exit (when `debug_exit` is not 0), ACPI S5 from the FADT/DSDT, Bochs' port
 * 0x8900; then halts. */
NO_RETURN void machine_power_off(uint8_t debug_exit);
