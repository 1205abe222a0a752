/* SPDX-License-Identifier: MIT */
#include "hypervisor/x86/control_call.h"

#include "hypervisor/base/clock.h"
#include "hypervisor/x86/apic.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/interrupts.h"

/* Longer than the control core is ever busy (loading a guest takes seconds under emulation): expiry
 * means that it is dead. */
#define CONTROL_LIMIT MILLISECONDS(20000)

enum call_state { CALL_NONE, CALL_WAITING, CALL_TAKEN, CALL_DONE };

/* One slot a core; only that core fills it, only the control core takes it. */
static struct call {
    control_function *function;
    void *argument;
    uint32_t state; /* enum call_state, changed by atomic operations only */
} calls[CPU_MAX];

bool control_call(control_function *function, void *argument)
{
    const struct cpu *cpu = cpu_current();
    if (cpu->index == 0) {
        function(argument);
        return true;
    }
    struct call *call = &calls[cpu->index];
    call->function = function;
    call->argument = argument;
    __atomic_store_n(&call->state, CALL_WAITING, __ATOMIC_RELEASE);
    /* A lost wake-up only costs the time to the control core's next tick. */
    (void)!apic_send(cpu_at(0)->apic_id, APIC_COMMAND_FIXED(VECTOR_WAKE));
    if (!WAIT_UNTIL(__atomic_load_n(&call->state, __ATOMIC_ACQUIRE) != CALL_WAITING,
                    CONTROL_LIMIT)) {
        uint32_t waiting = CALL_WAITING;
        if (__atomic_compare_exchange_n(&call->state, &waiting, CALL_NONE, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE))
            return false;
    }
    /* Taken: the argument is in use over there, so there is no giving up any more. What control
     * calls do is bounded itself. */
    while (__atomic_load_n(&call->state, __ATOMIC_ACQUIRE) != CALL_DONE)
        clock_relax();
    __atomic_store_n(&call->state, CALL_NONE, __ATOMIC_RELEASE);
    return true;
}

void control_calls_service(void)
{
    for (unsigned index = 1; index < cpu_count() && index < CPU_MAX; index++) {
        struct call *call = &calls[index];
        uint32_t waiting = CALL_WAITING;
        if (!__atomic_compare_exchange_n(&call->state, &waiting, CALL_TAKEN, false,
                                         __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            continue;
        call->function(call->argument);
        __atomic_store_n(&call->state, CALL_DONE, __ATOMIC_RELEASE);
    }
}
