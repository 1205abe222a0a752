/* SPDX-License-Identifier: MIT */
/* What a VMCB says about an exit: APM 2 15.7 to 15.13, 15.25.6, appendix C. */
#include "hypervisor/vcpu/svm/svm.h"
#include "hypervisor/x86/registers.h"

/* EXITINFO1 of an I/O exit (APM 2 15.10.2) */
#define IO_INPUT  BIT(0)
#define IO_STRING BIT(2)
#define IO_REPEAT BIT(3)
/* EXITINFO1 of a nested page fault (APM 2 15.25.6) */
#define NPF_WRITE    BIT(1)
#define NPF_RESERVED BIT(3)
#define NPF_EXECUTE  BIT(4)
#define NPF_IN_WALK  BIT(33) /* of the guest's own page tables */

/* Under QEMU's TCG a guest that loads reserved bits into CR3 gets here and is given #GP; a state
 * that VMRUN itself refuses would come back at once, forever. */
#define INVALID_RUN_LIMIT 4096

static const uint8_t kinds[] = {
    [SVM_EXIT_READ_CR4] = EXIT_CONTROL_REGISTER,
    [SVM_EXIT_WRITE_CR4] = EXIT_CONTROL_REGISTER,
    [SVM_EXIT_NMI] = EXIT_NMI,
    [SVM_EXIT_INIT] = EXIT_INIT,
    [SVM_EXIT_CPUID] = EXIT_CPUID,
    [SVM_EXIT_RSM] = EXIT_UNDEFINED,
    [SVM_EXIT_INVD] = EXIT_INVD,
    [SVM_EXIT_INVLPGA] = EXIT_UNDEFINED,
    [SVM_EXIT_IOIO] = EXIT_IO,
    [SVM_EXIT_MSR] = EXIT_MSR_READ,
    [SVM_EXIT_TASK_SWITCH] = EXIT_TASK_SWITCH,
    [SVM_EXIT_SHUTDOWN] = EXIT_TRIPLE_FAULT,
    [SVM_EXIT_VMRUN] = EXIT_UNDEFINED,
    [SVM_EXIT_VMMCALL] = EXIT_HYPERCALL,
    [SVM_EXIT_VMLOAD... SVM_EXIT_SKINIT] = EXIT_UNDEFINED,
    [SVM_EXIT_WBINVD] = EXIT_INVD,
    [SVM_EXIT_MONITOR... SVM_EXIT_MWAIT_ARMED] = EXIT_UNDEFINED,
    [SVM_EXIT_XSETBV] = EXIT_XSETBV,
    [SVM_EXIT_RDPRU] = EXIT_UNDEFINED,
};

void svm_exit_exception(struct vcpu_exit *exit, uint8_t vector, bool has_error, uint32_t error)
{
    exit->kind = EXIT_EXCEPTION;
    exit->exception.vector = vector;
    exit->exception.has_error = has_error;
    exit->exception.error = error;
}

static void decode_memory(const struct vmcb *vmcb, struct vcpu_exit *exit)
{
    uint64_t info = vmcb->exit_info_1;
    /* Else the access is the CPU's own, and the instruction at RIP says nothing about it. */
    bool by_instruction = (info & NPF_IN_WALK) == 0 && (vmcb->exit_int_info & EVENT_VALID) == 0;
    exit->kind = EXIT_MEMORY;
    exit->memory.address = vmcb->exit_info_2;
    exit->memory.execute = by_instruction && (info & NPF_EXECUTE) != 0;
    exit->memory.write = by_instruction && (info & NPF_WRITE) != 0;
    exit->memory.read = by_instruction && (info & (NPF_WRITE | NPF_EXECUTE)) == 0;
    exit->memory.misconfigured = (info & NPF_RESERVED) != 0;
}

static void decode_io(const struct vmcb *vmcb, struct vcpu_exit *exit)
{
    uint64_t info = vmcb->exit_info_1;
    exit->io.port = (uint16_t)FIELD(info, 31, 16);
    exit->io.width = (uint8_t)FIELD(info, 6, 4); /* SZ8, SZ16, SZ32: one bit each, 1, 2, 4 */
    exit->io.input = (info & IO_INPUT) != 0;
    exit->io.string = (info & IO_STRING) != 0;
    exit->io.repeat = (info & IO_REPEAT) != 0;
}

/* The low half alone: QEMU before 10.0.7 stores -1 as 32 bits. */
static void decode_invalid(struct vcpu *vcpu, const struct svm_exit_context *context,
                           struct vcpu_exit *exit)
{
    const struct vmcb *vmcb = svm_vmcb(vcpu);
    /* TCG stores the state it holds, which after a failed VMRUN is the host's. */
    bool host_state = vmcb->cr3 == context->host_cr3;
    exit->detail = svm_state_fault(vmcb);
    if (host_state)
        exit->detail = "VMRUN refused the VMCB and left the host's state in it";
    if (exit->detail == NULL && ++vcpu->svm.invalid_runs < INVALID_RUN_LIMIT)
        svm_exit_exception(exit, VECTOR_GENERAL_PROTECTION, true, 0);
    else
        exit->kind = EXIT_ENTRY_FAILURE;
}

/* An event whose delivery the exit cut short is delivered again (APM 2 15.20), unless the
 * instruction that raised it will be executed again anyway. */
static uint64_t event_again(uint64_t event)
{
    uint8_t vector = EVENT_VECTOR(event);
    if ((event & EVENT_VALID) == 0)
        return 0;
    switch (EVENT_TYPE(event)) {
    case EVENT_SOFTWARE:
        return 0;
    case EVENT_EXCEPTION:
        if (vector == 3 || vector == 4)
            return 0;
        /* TCG calls an interrupt that a fault cut short an exception too. */
        if (vector >= 32)
            return EVENT_VALID | vector;
        return event;
    default:
        return event;
    }
}

uint8_t svm_instruction_length(const struct vmcb *vmcb, const struct svm_exit_context *context)
{
    uint64_t next = vmcb->exit_code == SVM_EXIT_IOIO ? vmcb->exit_info_2
                    : context->has_next_rip          ? vmcb->next_rip
                                                     : 0;
    uint64_t length = next - vmcb->rip;
    return next != 0 && length <= 15 ? (uint8_t)length : 0;
}

void svm_exit_decode(struct vcpu *vcpu, const struct svm_exit_context *context,
                     struct vcpu_exit *exit)
{
    struct vmcb *vmcb = svm_vmcb(vcpu);
    uint64_t code = vmcb->exit_code;

    exit->reason = code;
    exit->qualification = vmcb->exit_info_1;
    exit->detail = NULL;
    vmcb->event_injection = event_again(vmcb->exit_int_info);
    if ((uint32_t)code == UINT32_MAX) {
        decode_invalid(vcpu, context, exit);
        return;
    }
    vcpu->svm.invalid_runs = 0;
    if (svm_nmi_exit(vcpu, exit))
        return;
    if (code == SVM_EXIT_NPF) {
        decode_memory(vmcb, exit);
        return;
    }
    if (code >= SVM_EXIT_EXCEPTION && code <= SVM_EXIT_EXCEPTION_LAST) {
        uint8_t vector = (uint8_t)(code - SVM_EXIT_EXCEPTION);
        svm_exit_exception(exit, vector, vector == VECTOR_ALIGNMENT_CHECK,
                           (uint32_t)vmcb->exit_info_1);
        return;
    }
    if (code == SVM_EXIT_RDPMC) { /* no counter exists, so every index is out of range */
        svm_exit_exception(exit, VECTOR_GENERAL_PROTECTION, true, 0);
        return;
    }
    exit->kind = code < ARRAY_SIZE(kinds) ? (enum exit_kind)kinds[code] : EXIT_OTHER;
    if (exit->kind == EXIT_MSR_READ && vmcb->exit_info_1 == 1)
        exit->kind = EXIT_MSR_WRITE;
    if (exit->kind == EXIT_IO)
        decode_io(vmcb, exit);
    if (exit->kind == EXIT_CONTROL_REGISTER) {
        exit->control.number = 4;
        exit->control.write = code == SVM_EXIT_WRITE_CR4;
    }
}
