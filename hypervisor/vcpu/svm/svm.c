/*
 * The SVM back-end (APM 2 chapter 15). Interrupts are not intercepted and V_INTR_MASKING is 0: the
 * guest's own RFLAGS.IF gates them. The host runs with GIF = 0 from load() to unload(), so that an
 * NMI sent meanwhile waits and makes the next VMRUN exit at once; none can be lost between a look
 * at stop_request and the entry.
 */
#include "hypervisor/vcpu/svm/svm.h"

#include "hypervisor/abi/calls.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/vcpu/exits.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/machine_check.h"
#include "hypervisor/x86/registers.h"

#define MSR_VM_CR          0xc0010114
#define VM_CR_LOCK         BIT(3)
#define VM_CR_SVMDIS       BIT(4)
#define MSR_VM_HSAVE_PA    0xc0010117
#define CPUID_EXTENDED_MAX 0x80000000
#define CPUID_FEATURES     0x80000001
#define FEATURES_ECX_SVM   BIT(2)
#define FEATURES_EDX_1G    BIT(26)
#define CPUID_SVM          0x8000000a
#define SVM_EDX_NP         BIT(0)
#define SVM_EDX_NRIPS      BIT(3)

/* Under QEMU's TCG the guest takes #MC itself, even if it is intercepted. */
#define CPUID_HYPERVISOR 0x40000000
#define SIGNATURE_TCG    0x54474354 /* "TCGT" */

static bool has_next_rip;
static bool misses_machine_checks;
static void *host_save[CPU_MAX]; /* one page a core, VM_HSAVE_PA */
static uint8_t *msrpm, *iopm;

static void clear_gif(void)
{
    __asm__ volatile("clgi" : : : "memory");
}

static void set_gif(void)
{
    __asm__ volatile("stgi" : : : "memory");
}

static enum status refused(const char *message)
{
    log_event("cpu.refused", "name=svm message=\"%s\"", message);
    return STATUS_UNSUPPORTED;
}

static enum status svm_probe(void)
{
    uint64_t vm_cr;
    if (cpuid(CPUID_EXTENDED_MAX, 0).eax < CPUID_SVM ||
        (cpuid(CPUID_FEATURES, 0).ecx & FEATURES_ECX_SVM) == 0)
        return refused("CPUID 80000001h ECX.SVM is clear: the CPU has no SVM, or it is hidden");
    struct cpuid_result features = cpuid(CPUID_SVM, 0);
    if ((features.edx & SVM_EDX_NP) == 0)
        return refused("CPUID 8000000Ah EDX.NP is clear: nested paging is needed; give QEMU "
                       "-cpu ...,+npt");
    if (features.ebx < 2)
        return refused("CPUID 8000000Ah EBX names no ASID for guests");
    if (!msr_read_safe(MSR_VM_CR, &vm_cr))
        return refused("MSR C0010114h (VM_CR) cannot be read");
    if ((vm_cr & VM_CR_SVMDIS) != 0 && (vm_cr & VM_CR_LOCK) != 0)
        return refused("firmware switched SVM off and locked it (VM_CR.SVMDIS, VM_CR.LOCK): enable "
                       "SVM or virtualization in the firmware's set-up");
    has_next_rip = (features.edx & SVM_EDX_NRIPS) != 0;
    misses_machine_checks = cpuid(CPUID_HYPERVISOR, 0).ebx == SIGNATURE_TCG;
    if (msrpm != NULL)
        return STATUS_OK;
    msrpm = pages_allocate(SVM_MSRPM_PAGES);
    iopm = pages_allocate(SVM_IOPM_PAGES);
    if (msrpm == NULL || iopm == NULL)
        return refused("no memory for the permission maps");
    svm_bitmaps_build(msrpm, iopm);
    return STATUS_OK;
}

static enum status svm_enable_core(void)
{
    uint64_t vm_cr;
    unsigned core = cpu_current()->index;
    if (!msr_read_safe(MSR_VM_CR, &vm_cr))
        return STATUS_UNSUPPORTED;
    /* Not locked, or probe() would have refused; each core has a register of its own. */
    if ((vm_cr & VM_CR_SVMDIS) != 0 && !msr_write_safe(MSR_VM_CR, vm_cr & ~VM_CR_SVMDIS))
        return STATUS_DENIED;
    if (host_save[core] == NULL)
        host_save[core] = pages_allocate(1);
    if (host_save[core] == NULL)
        return STATUS_NO_MEMORY;
    msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_SVME);
    msr_write(MSR_VM_HSAVE_PA, physical_address(host_save[core]));
    return STATUS_OK;
}

static void svm_disable_core(void)
{
    msr_write(MSR_VM_HSAVE_PA, 0);
    msr_write(MSR_EFER, msr_read(MSR_EFER) & ~EFER_SVME);
}

static const struct page_table_format *svm_memory_format(unsigned *max_leaf_level,
                                                         unsigned *max_execute_level)
{
    *max_leaf_level = (cpuid(CPUID_FEATURES, 0).edx & FEATURES_EDX_1G) != 0 ? 3 : 2;
    *max_execute_level = *max_leaf_level;
    return &page_format_npt;
}

static void svm_destroy(struct vcpu *vcpu)
{
    if (vcpu->control_page != NULL)
        pages_free(vcpu->control_page, 1);
    if (vcpu->backend[SVM_PAGE_HOST] != NULL)
        pages_free(vcpu->backend[SVM_PAGE_HOST], 1);
    vcpu->control_page = NULL;
    vcpu->backend[SVM_PAGE_HOST] = NULL;
}

static enum status svm_create(struct vcpu *vcpu)
{
    vcpu->control_page = pages_allocate(1);
    vcpu->backend[SVM_PAGE_HOST] = pages_allocate(1);
    if (vcpu->control_page == NULL || vcpu->backend[SVM_PAGE_HOST] == NULL) {
        svm_destroy(vcpu);
        return STATUS_NO_MEMORY;
    }
    svm_vmcb_init(svm_vmcb(vcpu), physical_address(msrpm), physical_address(iopm),
                  physical_address(vcpu->memory->root));
    return STATUS_OK;
}

static enum status svm_load(struct vcpu *vcpu)
{
    struct vmcb *vmcb = svm_vmcb(vcpu);
    svm_vmcb_restart(vmcb);
    vcpu->backend_state[SVM_SLOT_HOST_PAT] = msr_read(MSR_PAT);
    vcpu->backend_state[SVM_SLOT_INVALID_RUN] = 0;
    vcpu->backend_state[SVM_SLOT_HOST_MCE] = cr4_read() & CR4_MCE;
    clear_gif();
    __asm__ volatile("vmsave %%rax"
                     :
                     : "a"(physical_address(vcpu->backend[SVM_PAGE_HOST]))
                     : "memory");
    return STATUS_OK;
}

static void svm_unload(struct vcpu *vcpu)
{
    msr_write(MSR_PAT, vcpu->backend_state[SVM_SLOT_HOST_PAT]);
    set_gif();
}

static void run_to_exit(struct vcpu *vcpu, const struct svm_exit_context *context)
{
    struct vmcb *vmcb = svm_vmcb(vcpu);

    vmcb->rax = vcpu->registers[GUEST_RAX];
    svm_enter(vcpu, physical_address(vmcb), physical_address(vcpu->backend[SVM_PAGE_HOST]));
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

static enum outcome handle(struct vcpu *vcpu, const struct svm_exit_context *context)
{
    const struct vmcb *vmcb = svm_vmcb(vcpu);
    uint8_t length = svm_instruction_length(vmcb, context);
    if (length == 0)
        return vcpu_exit_handle_decoded(vcpu);
    enum outcome outcome = vcpu_exit_handle(vcpu);
    if (outcome != OUTCOME_ADVANCE)
        return outcome;
    svm_set_rip(vcpu, vmcb->rip + length);
    return OUTCOME_RESUME;
}

static enum outcome svm_run(struct vcpu *vcpu)
{
    const struct svm_exit_context context = {.has_next_rip = has_next_rip, .host_cr3 = cr3_read()};
    enum outcome outcome;
    do {
        run_to_exit(vcpu, &context);
        if (misses_machine_checks && machine_check_pending() &&
            vcpu_machine_check(vcpu) == OUTCOME_STOP)
            return OUTCOME_STOP;
        outcome = handle(vcpu, &context);
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
    .probe = svm_probe,
    .enable_core = svm_enable_core,
    .disable_core = svm_disable_core,
    .memory_format = svm_memory_format,
    .create = svm_create,
    .destroy = svm_destroy,
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
