/* SPDX-License-Identifier: MIT */
/*
 * The SVM back-end (APM 2 chapter 15). Interrupts are not intercepted and V_INTR_MASKING is 0: the
 * guest's own RFLAGS.IF gates them. The host runs with GIF = 0 from load() to unload(), so that an
 * NMI sent meanwhile waits and makes the next VMRUN exit at once; none can be lost between a look
 * at stop_request and the entry.
 */
#include "hypervisor/vcpu/svm/svm.h"

#include "hypervisor/abi/calls.h"
#include "hypervisor/vcpu/exits.h"
#include "hypervisor/x86/machine_check.h"
#include "hypervisor/x86/registers.h"
#include "hypervisor/memory/pages.h"

struct svm_features svm_features;

static void clear_gif(void)
{
    __asm__ volatile("clgi" : : : "memory");
}

static void set_gif(void)
{
    __asm__ volatile("stgi" : : : "memory");
}

static enum status svm_load(struct vcpu *vcpu)
{
    struct vmcb *vmcb = svm_vmcb(vcpu);
    svm_vmcb_restart(vmcb);
    vcpu->svm.host_pat = msr_read(MSR_PAT);
    /* Where the CPU has no PAT for guests they start with this one; the screen, for which the
     * hypervisor's differs, is the control core's. */
    msr_write(MSR_PAT, PAT_RESET);
    vcpu->svm.invalid_runs = 0;
    vcpu->svm.host_mce = cr4_read() & CR4_MCE;
    clear_gif();
    __asm__ volatile("vmsave %%rax" : : "a"(physical_address(vcpu->svm.host)) : "memory");
    return STATUS_OK;
}

static void svm_unload(struct vcpu *vcpu)
{
    msr_write(MSR_PAT, vcpu->svm.host_pat);
    set_gif();
}

static void run_to_exit(struct vcpu *vcpu, const struct svm_exit_context *context)
{
    struct vmcb *vmcb = svm_vmcb(vcpu);

    vmcb->rax = vcpu->registers[GUEST_RAX];
    svm_enter(vcpu, physical_address(vmcb), physical_address(vcpu->svm.host));
    vcpu->registers[GUEST_RAX] = vmcb->rax;
    vmcb->tlb_control = 0;
    svm_exit_decode(vcpu, context, &vcpu->exit);
    if (vcpu->exit.kind == EXIT_NMI) {
        /* The NMI is still pending (APM 2 15.13.2): taken here, or every VMRUN would exit at once.
         */
        set_gif();
        __asm__ volatile("nop");
        clear_gif();
    }
}

static enum outcome svm_run(struct vcpu *vcpu)
{
    const struct svm_exit_context context = {.has_next_rip = svm_features.next_rip,
                                             .host_cr3 = cr3_read()};
    enum outcome outcome;
    do {
        run_to_exit(vcpu, &context);
        if (svm_features.misses_machine_checks && machine_check_pending() &&
            vcpu_machine_check(vcpu) == OUTCOME_STOP)
            return OUTCOME_STOP;
        const struct vmcb *vmcb = svm_vmcb(vcpu);
        outcome = svm_exit_handle(vcpu, svm_instruction_length(vmcb, &context), vmcb->rip);
    } while (outcome == OUTCOME_RESUME);
    return outcome;
}

static bool svm_memory_root(const struct vcpu *vcpu, uint64_t *root)
{
    const struct vmcb *vmcb = vcpu->control_page;
    if (vmcb == NULL)
        return false;
    *root = (vmcb->nested_control & NESTED_PAGING) != 0 ? vmcb->nested_cr3 : 0;
    return true;
}

const struct vcpu_backend svm_backend = {
    .name = "svm",
    .call_instruction = ABI_CALL_VMMCALL,
    .load = svm_load,
    .unload = svm_unload,
    .run = svm_run,
    .read_state = svm_read_state,
    .read_mode = svm_read_mode,
    .write_state = svm_write_state,
    .efer = svm_efer,
    .osxsave = svm_osxsave,
    .cpl = svm_cpl,
    .set_rip = svm_set_rip,
    .inject = svm_inject,
    .flush_memory = svm_flush_memory,
    .memory_root = svm_memory_root,
};
