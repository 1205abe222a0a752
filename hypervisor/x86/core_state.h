/* What cpu.c and smp.c share: how a core gets into its defined state. */
#pragma once

#include "hypervisor/x86/cpu.h"

/* GS base, control registers, EFER, PAT, floating point, descriptor tables, interrupts off: the
 * same on every core, whatever the firmware left. */
void core_state_load(struct cpu *cpu);
/* Exception stacks between guard pages, for a core that is not running yet or for the caller's. */
MUST_CHECK enum status core_stacks_create(unsigned core);
/* The core's structure, whether it is up or not. */
struct cpu *core_slot(unsigned index);
/* From here on cpu_at() and cpu_count() know the core core_slot(cpu_count()). */
void core_add(void);
