/* SPDX-License-Identifier: MIT */
/* How a guest goes on whose instruction was not carried out: with a fault, or by executing it
 * again. */
#include "hypervisor/vcpu/backend.h"
#include "hypervisor/vcpu/exits.h"
#include "hypervisor/x86/registers.h"

enum outcome vcpu_fault(struct vcpu *vcpu, uint8_t vector)
{
    struct vcpu_state state;
    bool has_error = false;
    if (vector == VECTOR_GENERAL_PROTECTION) {
        vcpu_backend()->read_mode(vcpu, &state);
        has_error = (state.cr0 & CR0_PE) != 0; /* real mode pushes no error code */
    }
    vcpu_backend()->inject(vcpu, vector, has_error, 0);
    return OUTCOME_RESUME;
}

bool vcpu_retry(struct vcpu *vcpu, uint64_t rip)
{
    if (vcpu->retry_rip != rip || (uint8_t)(vcpu->retry_exit + 1) != vcpu->recent_next)
        vcpu->retries = 0;
    vcpu->retry_rip = rip;
    vcpu->retry_exit = vcpu->recent_next;
    if (++vcpu->retries > VCPU_RETRIES)
        return false;
    vcpu_backend()->flush_memory(vcpu);
    return true;
}
