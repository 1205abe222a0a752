/* SPDX-License-Identifier: MIT */
#include "hypervisor/guest/cores.h"

#include "hypervisor/base/clock.h"
#include "hypervisor/base/log.h"
#include "hypervisor/x86/control_call.h"
#include "hypervisor/x86/cpu.h"

void guest_cores_begin(struct guest *guest)
{
    guest->vcpus_running = guest->cpu_count;
    for (unsigned i = 0; i < guest->cpu_count; i++) {
        struct cpu *cpu = guest->vcpus[i]->cpu;
        if (cpu->state != CPU_IDLE) {
            __atomic_sub_fetch(&guest->vcpus_running, 1, __ATOMIC_ACQ_REL);
            continue;
        }
        __atomic_store_n(&cpu->vcpu, guest->vcpus[i], __ATOMIC_RELEASE);
        /* Not an interrupt: one that is held up until the guest runs would be the guest's. */
        cpu_kick(cpu);
    }
}

unsigned guest_cores_failed(const struct guest *guest)
{
    unsigned count = 0;
    for (unsigned i = 0; i < guest->cpu_count; i++)
        count += guest->vcpus[i]->cpu->state == CPU_FAILED;
    return count;
}

bool guest_cores_back(const struct guest *guest)
{
    return __atomic_load_n(&guest->vcpus_running, __ATOMIC_ACQUIRE) <= guest_cores_failed(guest);
}

/* A core in host mode notices a control call's answer only if the calls are served meanwhile. */
static bool served_and_back(const struct guest *guest)
{
    control_calls_service();
    return guest_cores_back(guest);
}

bool guest_cores_stop(struct guest *guest)
{
    for (unsigned i = 0; i < guest->cpu_count; i++) {
        struct vcpu *vcpu = guest->vcpus[i];
        if (__atomic_load_n(&vcpu->cpu->vcpu, __ATOMIC_ACQUIRE) != vcpu)
            continue;
        __atomic_store_n(&vcpu->stop_request, 1, __ATOMIC_RELEASE);
        cpu_kick(vcpu->cpu);
    }
    return WAIT_UNTIL(served_and_back(guest), MILLISECONDS(1000)) && guest_cores_failed(guest) == 0;
}

bool guest_cores_usable(const struct guest *guest)
{
    for (unsigned i = 0; i < guest->cpu_count; i++) {
        const struct cpu *cpu = guest->vcpus[i]->cpu;
        if (cpu->state != CPU_FAILED && cpu->state != CPU_RETIRED)
            continue;
        log_event("guest.refused",
                  "guest=%s core=%u message=\"its core is out of service (see cpu.machine_check or "
                  "cpu.exception above); reset the machine to use it again\"",
                  guest->name, cpu->index);
        return false;
    }
    return true;
}
