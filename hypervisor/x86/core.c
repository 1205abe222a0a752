/* SPDX-License-Identifier: MIT */
/* The cores' own structures, and who runs here. Depends on nothing: the log asks, too. */
#include "hypervisor/x86/core_state.h"
#include "hypervisor/x86/cpu.h"

_Static_assert(offsetof(struct cpu, self) == 0, "cpu_current()");
_Static_assert(offsetof(struct cpu, scratch) == 8, "assembly");
_Static_assert(offsetof(struct cpu, nmi_count) == 28, "primitives.asm");
_Static_assert(offsetof(struct cpu, interrupt_count) == 48, "discard.asm");
_Static_assert(offsetof(struct cpu, nmi_seen) == 56, "primitives.asm");

struct core_states core_states;

struct cpu *cpu_current(void)
{
    struct cpu *cpu;
    __asm__("mov %%gs:0, %0" : "=r"(cpu));
    return cpu;
}

unsigned this_core(void)
{
    return cpu_current()->index;
}

struct cpu *cpu_at(unsigned index)
{
    return index < core_states.online ? &core_states.cpus[index] : NULL;
}

unsigned cpu_count(void)
{
    return core_states.online;
}

void cpu_halt_forever(void)
{
    for (;;)
        __asm__ volatile("cli; hlt");
}
