/* SPDX-License-Identifier: MIT */
/* Holding a guest's vCPUs out of guest mode while its memory tables change, or its user thinks. */
#include "hypervisor/guest/hold.h"

#include "hypervisor/base/clock.h"
#include "hypervisor/base/log.h"
#include "hypervisor/x86/control_call.h"
#include "hypervisor/x86/cpu.h"

static void ask(struct guest *guest, uint32_t request)
{
    for (unsigned i = 0; i < guest->cpu_count; i++) {
        struct vcpu *vcpu = guest->vcpus[i];
        __atomic_store_n(&vcpu->hold_request, request, __ATOMIC_SEQ_CST);
        if (request != 0 && __atomic_load_n(&vcpu->cpu->vcpu, __ATOMIC_ACQUIRE) == vcpu)
            cpu_kick(vcpu->cpu);
    }
}

/* A core that waits for a control call's answer is still in guest mode, as seen from here. */
static bool all_out(const struct guest *guest)
{
    control_calls_service();
    for (unsigned i = 0; i < guest->cpu_count; i++)
        if (__atomic_load_n(&guest->vcpus[i]->in_guest, __ATOMIC_SEQ_CST) != 0)
            return false;
    return true;
}

enum status guest_hold(struct guest *guest)
{
    if (guest->holds == 0) {
        ask(guest, 1);
        if (!WAIT_UNTIL(all_out(guest), MILLISECONDS(1000))) {
            ask(guest, 0);
            log_event("guest.hold_failed",
                      "name=%s message=\"a core did not leave guest mode within a second of its "
                      "NMI; the guest goes on\"",
                      guest->name);
            return STATUS_TIMEOUT;
        }
    }
    guest->holds++;
    return STATUS_OK;
}

void guest_release(struct guest *guest)
{
    if (--guest->holds == 0)
        ask(guest, 0);
}

enum status guest_pause(struct guest *guest)
{
    if (guest->state != GUEST_RUNNING)
        return STATUS_NOT_FOUND;
    if (guest->paused)
        return STATUS_BUSY;
    enum status status = guest_hold(guest);
    if (status != STATUS_OK)
        return status;
    guest->paused = true;
    log_event("guest.paused", "name=%s", guest->name);
    return STATUS_OK;
}

enum status guest_resume(struct guest *guest)
{
    if (!guest->paused)
        return STATUS_NOT_FOUND;
    guest->paused = false;
    guest_release(guest);
    log_event("guest.resumed", "name=%s", guest->name);
    return STATUS_OK;
}
