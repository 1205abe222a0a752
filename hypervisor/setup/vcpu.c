/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/vcpu.h"

#include "hypervisor/base/log.h"
#include "hypervisor/guest/core.h"
#include "hypervisor/setup/policy.h"
#include "hypervisor/setup/speculation.h"
#include "hypervisor/setup/svm.h"
#include "hypervisor/setup/vcpu_advice.h"
#include "hypervisor/setup/vmx.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/registers.h"

#define CPUID_1_ECX_X2APIC BIT(21)

static const struct vcpu_setup *selected;

enum status vcpu_backend_select(void)
{
    static const struct vcpu_setup *const candidates[] = {&vmx_setup, &svm_setup};

    /* A guest owns the APIC of its core; only as MSRs can that be given without its neighbours'. */
    if ((cpuid(1, 0).ecx & CPUID_1_ECX_X2APIC) == 0) {
        log_event("cpu.refused", "name=x2apic cpuid=0x1 message=\"%s\"", vcpu_x2apic_advice(cpuid));
        return STATUS_UNSUPPORTED;
    }
    speculation_restrict();
    msr_policy_init(cpuid);
    for (size_t i = 0; i < ARRAY_SIZE(candidates); i++) {
        if (!candidates[i]->offered() || candidates[i]->probe() != STATUS_OK)
            continue;
        selected = candidates[i];
        vcpu_selected = selected->backend;
        cpuid_policy_init(cpuid);
        log_event("cpu.backend", "name=%s%s", vcpu_selected->name,
                  vmx_setup.offered()
                      ? ""
                      : " message=\"CPUID 1 ECX bit 5 is clear: no VMX, so SVM is used\"");
        return STATUS_OK;
    }
    for (size_t i = 0; i < ARRAY_SIZE(candidates); i++)
        if (!candidates[i]->offered())
            log_event("cpu.refused", "name=%s message=\"%s\"", candidates[i]->backend->name,
                      candidates[i]->absent);
    return STATUS_UNSUPPORTED;
}

const struct vcpu_setup *vcpu_setup(void)
{
    return selected;
}

void vcpu_start_core(struct cpu *cpu)
{
    speculation_restrict();
    enum status status = selected != NULL ? selected->enable_core() : STATUS_OK;
    if (status != STATUS_OK) {
        log_event("cpu.refused", "core=%u status=%s message=\"this core cannot run guests\"",
                  cpu->index, status_name(status));
        cpu->state = CPU_FAILED;
        cpu_halt_forever();
    }
    guest_core(cpu);
}
