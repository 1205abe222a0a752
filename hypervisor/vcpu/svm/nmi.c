/* SPDX-License-Identifier: MIT */
/*
 * A guest's NMIs. On a CPU an NMI blocks the next one until IRET ends; an injected one blocks
 * nothing, and early SVM has no virtual NMI. So IRET is intercepted. The exit comes before the IRET
 * is executed (APM 2 15.9), and an NMI injected there would find the first one's frame still on its
 * stack. The guest is stepped over the IRET with the trap flag: IRET loads all of RFLAGS, so the
 * flag does not survive it, and meanwhile any exception that IRET raises instead is intercepted.
 */
#include "hypervisor/vcpu/svm/svm.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/registers.h"

#define ALL_EXCEPTIONS (~(1u << VECTOR_NMI))
#define WITH_ERROR_CODE                                                                            \
    (1u << 8 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 14 | 1u << 17 | 1u << 21 |        \
     1u << 29 | 1u << 30)

static bool stepping(const struct vmcb *vmcb)
{
    return vmcb->intercept_exceptions == ALL_EXCEPTIONS;
}

void svm_nmi_inject(struct vcpu *vcpu)
{
    struct vmcb *vmcb = svm_vmcb(vcpu);
    if ((vmcb->intercept_1 & INTERCEPT_IRET) != 0 || stepping(vmcb)) {
        vcpu->nmi_request = 1; /* one stays pending, as in a CPU, until the IRET is done */
        return;
    }
    if ((vmcb->event_injection & EVENT_VALID) != 0) {
        /* An event that an exit interrupted must be delivered first, or it is lost. While GIF = 0
         * the core's own NMI waits for VMRUN, which delivers the event and exits at once. */
        vcpu->nmi_request = 1;
        cpu_kick(vcpu->cpu);
        return;
    }
    vmcb->event_injection = EVENT_VALID | (uint64_t)EVENT_NMI << 8 | VECTOR_NMI;
    vmcb->intercept_1 |= INTERCEPT_IRET;
}

static void step_over_iret(struct vcpu *vcpu, struct vmcb *vmcb)
{
    vcpu->svm.step_rflags = vmcb->rflags;
    vcpu->svm.step_dr6 = vmcb->dr6;
    vmcb->dr6 &= ~DR6_TRAPS;
    vmcb->rflags |= RFLAGS_TF | RFLAGS_RF;       /* RF: a breakpoint on the IRET was already hit */
    vmcb->interrupt_state |= INTERRUPT_SHADOW;   /* or an interrupt would push TF in its frame */
    vmcb->intercept_exceptions = ALL_EXCEPTIONS; /* NMIs are still blocked */
    vmcb->intercept_1 &= ~INTERCEPT_IRET;
}

/* The IRET is done. Any cause of the #DB other than our step is the guest's. */
static void end_step(struct vcpu *vcpu, struct vmcb *vmcb, struct vcpu_exit *exit)
{
    uint64_t before = vcpu->svm.step_dr6;
    bool own = (vcpu->svm.step_rflags & RFLAGS_TF) != 0;
    if (!own && (vmcb->dr6 & DR6_TRAPS) == 0) {
        vmcb->dr6 = before;
        exit->kind = EXIT_NMI; /* delivers one requested in the meantime */
        return;
    }
    if (!own)
        vmcb->dr6 = (vmcb->dr6 & ~DR6_STEP) | (before & DR6_STEP);
    svm_exit_exception(exit, VECTOR_DEBUG, false, 0);
    if (vcpu->nmi_request != 0)
        cpu_kick(vcpu->cpu);
}

/* The IRET faulted: undoes the step. */
static void fail_step(struct vcpu *vcpu, struct vmcb *vmcb, struct vcpu_exit *exit, uint8_t vector)
{
    uint64_t flags = vcpu->svm.step_rflags;
    vmcb->rflags = (vmcb->rflags & ~RFLAGS_TF) | (flags & RFLAGS_TF);
    vmcb->dr6 = vcpu->svm.step_dr6;
    vmcb->interrupt_state &= ~INTERRUPT_SHADOW;
    vmcb->intercept_1 |= INTERCEPT_IRET;
    if (vector == VECTOR_PAGE_FAULT)
        vmcb->cr2 = vmcb->exit_info_2; /* the intercepted fault did not load it */
    bool has_error = (WITH_ERROR_CODE >> vector & 1) != 0;
    svm_exit_exception(exit, vector, has_error, has_error ? (uint32_t)vmcb->exit_info_1 : 0);
}

bool svm_nmi_exit(struct vcpu *vcpu, struct vcpu_exit *exit)
{
    struct vmcb *vmcb = svm_vmcb(vcpu);
    uint64_t code = vmcb->exit_code;
    if (code == SVM_EXIT_IRET) {
        step_over_iret(vcpu, vmcb);
        exit->kind = EXIT_NMI;
        return true;
    }
    if (!stepping(vmcb) || code < SVM_EXIT_EXCEPTION || code > SVM_EXIT_EXCEPTION_LAST)
        return false;
    vmcb->intercept_exceptions = SVM_INTERCEPTED_EXCEPTIONS;
    uint8_t vector = (uint8_t)(code - SVM_EXIT_EXCEPTION);
    if (vector == VECTOR_DEBUG)
        end_step(vcpu, vmcb, exit);
    else
        fail_step(vcpu, vmcb, exit, vector);
    return true;
}
