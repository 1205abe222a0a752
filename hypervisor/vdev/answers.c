/* SPDX-License-Identifier: MIT */
#include "hypervisor/vdev/answers.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/assign/guest.h"
#include "hypervisor/vcpu/interrupt.h"
#include "hypervisor/vdev/calls.h"
#include "hypervisor/vdev/ports.h"
#include "hypervisor/vdev/virtual_bus.h"
#include "hypervisor/x86/control_call.h"

/* --- code where the tables do not let it run yet --- */

struct execution {
    struct guest *guest;
    uint64_t address;
    enum status status;
};

static void allow_execute(void *argument)
{
    struct execution *execution = argument;
    execution->status = page_table_allow_execute(&execution->guest->memory, execution->address);
}

static bool execute(struct vcpu *vcpu, uint64_t address)
{
    struct execution execution = {vcpu->guest, address, STATUS_TIMEOUT};
    if (!guest_memory_has(vcpu->guest, address, 1) || !control_call(allow_execute, &execution))
        return false;
    return execution.status == STATUS_OK;
}

/* --- interrupts between a guest's own vCPUs --- */

static bool ipi(struct vcpu *vcpu, uint64_t icr)
{
    struct guest *guest = vcpu->guest;
    bool addressed = false;
    for (unsigned i = 0; i < guest->cpu_count; i++) {
        if (!icr_addresses(icr, vcpu->apic_id, guest->vcpus[i]->apic_id))
            continue;
        vcpu_interrupt(guest->vcpus[i], icr);
        addressed = true;
    }
    return addressed;
}

/* --- the end --- */

static void stopped(struct vcpu *vcpu, const char *reason, const char *detail)
{
    char text[256];
    guest_note_end(vcpu->guest, reason, 0);
    quote_text(text, sizeof text, detail != NULL ? detail : "",
               detail != NULL ? strlen(detail) : 0);
    log_event("guest.fault", "name=%s vcpu=%u reason=%s message=\"%s\"", vcpu->guest->name,
              vcpu->index, reason, text);
}

const struct vcpu_events guest_events = {
    .mmio = virtual_bus_access,
    .io = ports_access,
    .hypercall = calls_answer,
    .execute = execute,
    .ipi = ipi,
    .read_memory = calls_read_memory,
    .stopped = stopped,
};
