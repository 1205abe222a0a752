/* SPDX-License-Identifier: MIT */
#include "hypervisor/vcpu/vmx/vmcs.h"
#include "hypervisor/vcpu/vmx/vmx.h"
#include "hypervisor/x86/cpu.h"
#include "tests/labs/watch/watch.h"

/* The whole VMCS into the log before a core's first entry, for build/entry: a host state that no
 * rule forbids may end the machine at the first exit. */
enum outcome __wrap_vmx_run(struct vcpu *vcpu)
{
    static bool shown[CPU_MAX];
    if (!shown[vcpu->cpu->index])
        vmx_dump(vcpu);
    shown[vcpu->cpu->index] = true;
    return __real_vmx_run(vcpu);
}

enum outcome __wrap_vmx_exited(struct vcpu *vcpu)
{
    uint64_t rip = vmcs_get(VMCS_GUEST_RIP);
    enum outcome outcome = __real_vmx_exited(vcpu);
    return lab_watch_exit(vcpu, rip, vmcs_get(VMCS_GUEST_RIP),
                          (vmcs_get(VMCS_ENTRY_INTERRUPTION) & INTERRUPTION_VALID) != 0, outcome);
}
