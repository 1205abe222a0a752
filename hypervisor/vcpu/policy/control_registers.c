/* SPDX-License-Identifier: MIT */
/* Control registers and XCR0: what exits is judged as the CPU would, with the guest's features. */
#include "hypervisor/vcpu/guest_core.h"
#include "hypervisor/vcpu/policy/cpuid.h"
#include "hypervisor/vcpu/exits.h"
#include "hypervisor/x86/registers.h"
#include "hypervisor/vcpu/backend.h"

#define CR4_PCIDE BIT(17)
#define CR3_PCID  BITS(11, 0)
#define CR0_DEFINED                                                                                \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | BIT(18) | CR0_NW | CR0_CD |    \
     CR0_PG)

/* SDM 3A 2.5 and 10.8.5. Undefined bits below 32 are ignored by the CPU, above 32 they fault. */
static bool set_cr0(struct vcpu_state *state, uint64_t value)
{
    bool turns_on = (value & CR0_PG) != 0 && (state->cr0 & CR0_PG) == 0;
    bool turns_off = (value & CR0_PG) == 0 && (state->cr0 & CR0_PG) != 0;
    bool long_code = (state->cs.attributes & SEGMENT_LONG) != 0;

    if (value >> 32 != 0 || ((value & CR0_PG) != 0 && (value & CR0_PE) == 0) ||
        ((value & CR0_NW) != 0 && (value & CR0_CD) == 0))
        return false;
    if (turns_on && (state->efer & EFER_LME) != 0) {
        if ((state->cr4 & CR4_PAE) == 0 || long_code)
            return false;
        state->efer |= EFER_LMA;
    }
    if (turns_off) {
        if (((state->efer & EFER_LMA) != 0 && long_code) || (state->cr4 & CR4_PCIDE) != 0)
            return false;
        state->efer &= ~EFER_LMA;
    }
    state->cr0 = (value & CR0_DEFINED) | CR0_ET;
    return true;
}

static bool set_cr4(struct vcpu_state *state, uint64_t value)
{
    bool long_mode = (state->efer & EFER_LMA) != 0;
    if ((value & ~cpuid_machine.cr4) != 0)
        return false;
    if (long_mode && (value & CR4_PAE) == 0)
        return false;
    if ((value & ~state->cr4 & CR4_PCIDE) != 0 && (!long_mode || (state->cr3 & CR3_PCID) != 0))
        return false;
    state->cr4 = value;
    return true;
}

/* Writes of CR0 (VMX) and CR4 exit where they concern bits that are not the guest's own, and under
 * SVM, which has no read shadow, reads of CR4. No other access was asked to exit. */
enum outcome exit_control_register(struct vcpu *vcpu)
{
    const struct vcpu_exit *exit = &vcpu->exit;
    const uint8_t number = exit->control.number, source = exit->control.source;
    struct vcpu_state state;

    vcpu_backend()->read_state(vcpu, &state);
    if (!exit->control.write && number == 4) {
        vcpu_set_register(vcpu, source, state.cr4);
        return OUTCOME_ADVANCE;
    }
    if (!exit->control.write || (number != 0 && number != 4))
        return vcpu_fail(vcpu, "unhandled-exit", "an access to CR%u, which was not to exit",
                         number);
    uint64_t value = vcpu_register(vcpu, source);
    if (number == 0 ? !set_cr0(&state, value) : !set_cr4(&state, value))
        return vcpu_fault(vcpu, VECTOR_GENERAL_PROTECTION);
    vcpu_backend()->write_state(vcpu, &state);
    /* What the guest's old tables left in the TLB does not hold under the new mode. */
    vcpu_backend()->flush_memory(vcpu);
    return OUTCOME_ADVANCE;
}

/* SDM 2C "XSETBV": only XCR0 exists. CPUs check CPL before the exit; Bochs does not. */
enum outcome exit_xsetbv(struct vcpu *vcpu)
{
    if (!vcpu_backend()->osxsave(vcpu))
        return vcpu_fault(vcpu, VECTOR_UNDEFINED);
    if (vcpu_backend()->cpl(vcpu) != 0 || (uint32_t)vcpu->registers[GUEST_RCX] != 0)
        return vcpu_fault(vcpu, VECTOR_GENERAL_PROTECTION);
    uint64_t value = (vcpu->registers[GUEST_RDX] << 32) | (uint32_t)vcpu->registers[GUEST_RAX];
    if (!cpuid_policy_xcr0_valid(value))
        return vcpu_fault(vcpu, VECTOR_GENERAL_PROTECTION);
    guest_core_set_xcr0(value);
    vcpu->xcr0 = value;
    return OUTCOME_ADVANCE;
}
