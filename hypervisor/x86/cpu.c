/* SPDX-License-Identifier: MIT */
#include "hypervisor/x86/cpu.h"

#include "hypervisor/base/log.h"
#include "hypervisor/x86/apic.h"

void cpu_kick(struct cpu *cpu)
{
    if (!apic_send(cpu->apic_id, APIC_COMMAND_NMI))
        log_event("cpu.kick-failed",
                  "core=%u apic=%u message=\"the local APIC did not send the NMI; the core missed "
                  "a request\"",
                  cpu->index, cpu->apic_id);
}
