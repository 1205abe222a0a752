/* SPDX-License-Identifier: MIT */
/* Bringing up the cores: the boot core in two steps, then the others. */
#pragma once

#include "hypervisor/acpi/madt.h"
#include "hypervisor/base/core.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/setup/descriptors.h"

/* Control registers, descriptor tables, exception handlers and per-core data of the boot core:
 * the first thing to call; needs no memory management. */
void cpu_init_early(void);
/* After address_space_init(): exception stacks between guard pages, the local APIC, the 8259s
 * masked. STATUS_NO_MEMORY; STATUS_UNSUPPORTED without an APIC. */
MUST_CHECK enum status cpu_init_boot(void);
/* Starts every enabled core that the MADT lists (INIT, SIPI, SIPI); each runs `entry` once it has
 * tables and a stack of its own. `entry` never returns; when nothing that runs only at boot is left
 * for the core to do, it sets the core's state to CPU_IDLE or CPU_FAILED, and that is waited for.
 * Cores that do not answer within their time are logged and left out. STATUS_UNSUPPORTED when more
 * cores are listed than CPU_MAX (the rest stay off), STATUS_NO_MEMORY; the cores that did start are
 * usable in any case. */
MUST_CHECK enum status cpu_start_all(const struct madt *madt, void (*entry)(struct cpu *cpu));

/* On the boot core: the pin that the MADT calls its NMI line is connected, and logged. */
void apic_connect(const struct madt *madt);

/* --- what the files of this folder share --- */

/* GS base, control registers, EFER, PAT, floating point, descriptor tables, interrupts off: the
 * same on every core, whatever the firmware left. */
void core_state_load(struct cpu *cpu);
/* Exception stacks between guard pages, for a core that is not running yet or for the caller's. */
MUST_CHECK enum status core_stacks_create(unsigned core);
/* Enables this core's APIC with everything masked. STATUS_UNSUPPORTED without an APIC. */
MUST_CHECK enum status apic_enable(void);
bool apic_is_x2apic(void);
/* On the boot core, before its entries are masked: notes a thermal entry that is firmware's. */
void apic_keep_thermal(void);
/* Stack tops for the core's exceptions; before descriptors_load() or while it runs. */
void descriptors_set_stack(unsigned core, enum exception_stack stack, uintptr_t top);
/* Fills the core's tables and loads GDTR, TR and the segment registers. */
void descriptors_load(unsigned core);
/* Builds the interrupt descriptor tables; once. */
void idt_init(void);
/* Points this core at them. */
void idt_load(void);
/* Each core for itself, before CR4.MCE is set: notes what firmware left in the banks, enables all
 * errors of all banks, and local delivery (LMCE) where firmware permits it. */
void machine_check_enable(void);
/* One line about the boot core. */
void machine_check_log_support(void);
