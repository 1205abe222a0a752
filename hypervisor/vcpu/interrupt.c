/* SPDX-License-Identifier: MIT */
/* Interrupt commands between the vCPUs of one guest. SDM 3A 11.6.1, 11.12.9, 11.12.10. */
#include "hypervisor/vcpu/interrupt.h"
#include "hypervisor/vcpu/vcpu.h"
#include "hypervisor/x86/apic.h"
#include "hypervisor/x86/cpu.h"

#define BROADCAST 0xffffffffu

enum shorthand { SHORTHAND_NONE, SHORTHAND_SELF, SHORTHAND_ALL, SHORTHAND_OTHERS };

bool icr_addresses(uint64_t icr, uint32_t sender, uint32_t apic_id)
{
    uint32_t destination = (uint32_t)(icr >> 32);
    switch ((enum shorthand)FIELD(icr, 19, 18)) {
    case SHORTHAND_SELF:
        return apic_id == sender;
    case SHORTHAND_ALL:
        return true;
    case SHORTHAND_OTHERS:
        return apic_id != sender;
    case SHORTHAND_NONE:
        break;
    }
    if (destination == BROADCAST)
        return true;
    if ((icr & ICR_LOGICAL) == 0)
        return destination == apic_id;
    /* The logical id is a cluster of 16 and a bit in it, both taken from the physical id. */
    return destination >> 16 == apic_id >> 4 && (destination & 1u << (apic_id & 15)) != 0;
}

static void start(struct vcpu *target, uint8_t vector)
{
    if (__atomic_load_n(&target->activity, __ATOMIC_ACQUIRE) != VCPU_WAIT_FOR_SIPI)
        return;
    target->sipi_vector = vector;
    __atomic_store_n(&target->activity, VCPU_RUNNING, __ATOMIC_RELEASE);
    cpu_kick(target->cpu);
}

static void initialise(struct vcpu *target)
{
    uint32_t running = VCPU_RUNNING;
    if (!__atomic_compare_exchange_n(&target->activity, &running, VCPU_WAIT_FOR_SIPI, false,
                                     __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return; /* it waits already */
    __atomic_store_n(&target->init_request, 1, __ATOMIC_RELEASE);
    cpu_kick(target->cpu);
}

void vcpu_interrupt(struct vcpu *target, uint64_t icr)
{
    uint8_t vector = (uint8_t)icr;
    switch ((enum icr_mode)FIELD(icr, 10, 8)) {
    case ICR_FIXED:
        if (!apic_send(target->apic_id, APIC_COMMAND_FIXED(vector)))
            target->commands_dropped++;
        break;
    case ICR_NMI:
        __atomic_store_n(&target->nmi_request, 1, __ATOMIC_RELEASE);
        cpu_kick(target->cpu);
        break;
    case ICR_INIT:
        initialise(target);
        break;
    case ICR_STARTUP:
        start(target, vector);
        break;
    default:
        target->commands_dropped++;
        break;
    }
}

bool icr_permitted(uint64_t icr)
{
    switch ((enum icr_mode)FIELD(icr, 10, 8)) {
    case ICR_FIXED:
        return (uint8_t)icr >= 16; /* 0..15 are illegal vectors */
    case ICR_NMI:
    case ICR_STARTUP:
        return true;
    case ICR_INIT:
        return (icr & ICR_LEVEL_ASSERT) != 0; /* the de-assertion of old has no effect */
    default:
        return false;
    }
}
