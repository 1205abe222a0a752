#include "hypervisor/base/log.h"
#include "hypervisor/vcpu/policy/cpuid.h"
#include "hypervisor/vcpu/policy/msr.h"
#include "hypervisor/vcpu/vcpu.h"
#include "hypervisor/x86/registers.h"

#define CPUID_1_ECX_X2APIC BIT(21)

enum status vcpu_backend_select(void)
{
    static const struct vcpu_backend *const candidates[] = {&vmx_backend, &svm_backend};

    /* A guest owns the APIC of its core; only as MSRs can that be given without its neighbours'. */
    if ((cpuid(1, 0).ecx & CPUID_1_ECX_X2APIC) == 0) {
        log_event("cpu.refused",
                  "name=x2apic cpuid=0x1 message=\"the CPU has no x2APIC; switch it on in the "
                  "firmware's set-up, or give QEMU -cpu ...,+x2apic\"");
        return STATUS_UNSUPPORTED;
    }
    msr_policy_init(cpuid);
    for (size_t i = 0; i < ARRAY_SIZE(candidates); i++) {
        if (candidates[i]->probe() != STATUS_OK)
            continue;
        vcpu_selected = candidates[i];
        cpuid_policy_init(cpuid);
        log_event("cpu.backend", "name=%s", candidates[i]->name);
        return STATUS_OK;
    }
    return STATUS_UNSUPPORTED;
}
