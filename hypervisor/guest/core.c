/* SPDX-License-Identifier: MIT */
#include "hypervisor/guest/core.h"

#include "hypervisor/guest/scrub.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/vdev/answers.h"
#include "hypervisor/vdev/calls.h"
#include "hypervisor/x86/apic.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/interrupts.h"

static void run(struct vcpu *vcpu, const void *memory)
{
    calls_open(memory);
    if (memory != NULL)
        vcpu_run(vcpu);
    else
        guest_events.stopped(vcpu, "no-memory", "the core cannot map the guest's memory");
    calls_close(vcpu->guest);
}

void guest_core(struct cpu *cpu)
{
    cpu->state = CPU_IDLE;
    for (;;) {
        struct vcpu *vcpu = __atomic_load_n(&cpu->vcpu, __ATOMIC_ACQUIRE);
        if (vcpu == NULL) {
            cpu_wait();
            continue;
        }
        cpu->state = CPU_GUEST;
        struct guest *guest = vcpu->guest;
        void *memory = window_open(guest->pieces, guest->piece_count);
        if (!guest->scrubbing)
            run(vcpu, memory);
        else if (memory != NULL)
            scrub_share(vcpu, memory);
        window_close();
        __atomic_store_n(&cpu->vcpu, NULL, __ATOMIC_RELEASE);
        cpu->state = cpu->corrupt ? CPU_RETIRED : CPU_IDLE;
        __atomic_sub_fetch(&guest->vcpus_running, 1, __ATOMIC_ACQ_REL);
        (void)!apic_send(cpu_at(0)->apic_id, APIC_COMMAND_FIXED(VECTOR_WAKE));
        if (cpu->corrupt)
            cpu_halt_forever();
    }
}
