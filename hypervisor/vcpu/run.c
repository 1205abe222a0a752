/* SPDX-License-Identifier: MIT */
/* A vCPU on its core: from start-up IPI to start-up IPI, until it stops. */
#include "hypervisor/base/log.h"
#include "hypervisor/vcpu/backend.h"
#include "hypervisor/vcpu/barrier.h"
#include "hypervisor/vcpu/events.h"
#include "hypervisor/vcpu/exits.h"
#include "hypervisor/vcpu/guest_core.h"
#include "hypervisor/x86/apic.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/registers.h"

/* False: asked to stop before the start-up IPI came. */
static bool wait_for_start(struct vcpu *vcpu)
{
    while (__atomic_load_n(&vcpu->stop_request, __ATOMIC_ACQUIRE) == 0) {
        if (__atomic_load_n(&vcpu->activity, __ATOMIC_ACQUIRE) == VCPU_RUNNING)
            return true;
        cpu_wait();
    }
    return false;
}

/* By powers of two: a guest can send itself INIT and start-up IPIs without end. */
static void log_entry(const struct vcpu *vcpu, uint64_t starts)
{
    uint64_t now = tsc_read();
    if ((starts & (starts - 1)) == 0)
        log_event("vcpu.entered", "core=%u vcpu=%u tsc=%lu starts=%lu", vcpu->cpu->index,
                  vcpu->index, now, starts);
}

void vcpu_run(struct vcpu *vcpu)
{
    const struct vcpu_backend *backend = vcpu_backend();
    /* Not by its activity: a quick sibling may have sent the start-up IPI already. */
    bool by_sipi = vcpu->index != 0;
    uint64_t starts = 0;

    core_barrier();
    /* Also gives the host the CR4 that the back-end takes down in load(). */
    guest_core_reset();
    vcpu->xcr0 = 1;
    vcpu->exception_run = 0;
    vcpu->retries = 0;
    vcpu->init_request = 0;
    while (wait_for_start(vcpu)) {
        vcpu->nmi_request = 0; /* a core that waits for its start-up IPI takes no NMI */
        if (by_sipi) {
            guest_core_reset_debug();
            for (unsigned i = 0; i < GUEST_REGISTERS; i++)
                vcpu->registers[i] = 0;
            vcpu->registers[GUEST_RDX] = cpuid(1, 0).eax; /* SDM 3A table 10-1 */
            vcpu_state_sipi(&vcpu->start, (uint8_t)vcpu->sipi_vector);
        }
        apic_open();
        enum status status = backend->load(vcpu);
        if (status != STATUS_OK) {
            vcpu_events()->stopped(vcpu, "entry-failure", status_name(status));
            break;
        }
        backend->write_state(vcpu, &vcpu->start);
        /* An NMI that came before load() was the host's and calls nobody back: what it stood for is
         * looked at now that the back-end loses none. */
        vcpu_set_in_guest(vcpu, 1);
        enum outcome outcome = exit_nmi(vcpu);
        if (outcome == OUTCOME_RESUME) {
            log_entry(vcpu, ++starts);
            outcome = backend->run(vcpu);
        }
        vcpu_set_in_guest(vcpu, 0);
        backend->unload(vcpu);
        if (outcome != OUTCOME_WAIT)
            break;
        by_sipi = true;
        apic_quiesce(); /* INIT resets the local APIC too (SDM 3A 11.4.7.3) */
    }
    guest_core_reset();
    core_barrier();
    apic_quiesce();
}
