/* SPDX-License-Identifier: MIT */
/* Is SVM there, switching it on for a core, and VMCBs: APM 2 15.4, 15.30.4. */
#include "hypervisor/setup/svm.h"

#include "hypervisor/base/log.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/x86/cpu.h"
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

static void *host_save[CPU_MAX]; /* one page a core, VM_HSAVE_PA */
static uint8_t *msrpm, *iopm;

static enum status refused(const char *message)
{
    log_event("cpu.refused", "name=svm message=\"%s\"", message);
    return STATUS_UNSUPPORTED;
}

static bool offered(void)
{
    return cpuid(CPUID_EXTENDED_MAX, 0).eax >= CPUID_SVM &&
           (cpuid(CPUID_FEATURES, 0).ecx & FEATURES_ECX_SVM) != 0;
}

static enum status probe(void)
{
    uint64_t vm_cr;
    struct cpuid_result features = cpuid(CPUID_SVM, 0);
    if ((features.edx & SVM_EDX_NP) == 0)
        return refused(
            "CPUID 8000000Ah EDX.NP is clear: nested paging is needed; give QEMU -cpu ...,+npt");
    if (features.ebx < 2)
        return refused("CPUID 8000000Ah EBX names no ASID for guests");
    if (!msr_read_safe(MSR_VM_CR, &vm_cr))
        return refused("MSR C0010114h (VM_CR) cannot be read");
    if ((vm_cr & VM_CR_SVMDIS) != 0 && (vm_cr & VM_CR_LOCK) != 0)
        return refused("firmware switched SVM off and locked it (VM_CR.SVMDIS, VM_CR.LOCK): enable "
                       "SVM or virtualization in the firmware's set-up");
    svm_features.next_rip = (features.edx & SVM_EDX_NRIPS) != 0;
    svm_features.misses_machine_checks = cpuid(CPUID_HYPERVISOR, 0).ebx == SIGNATURE_TCG;
    if (msrpm != NULL)
        return STATUS_OK;
    msrpm = pages_allocate(SVM_MSRPM_PAGES);
    iopm = pages_allocate(SVM_IOPM_PAGES);
    if (msrpm == NULL || iopm == NULL)
        return refused("no memory for the permission maps");
    svm_bitmaps_build(msrpm, iopm);
    return STATUS_OK;
}

static enum status enable_core(void)
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

static const struct page_table_format *memory_format(unsigned *max_leaf_level,
                                                     unsigned *max_execute_level)
{
    *max_leaf_level = (cpuid(CPUID_FEATURES, 0).edx & FEATURES_EDX_1G) != 0 ? 3 : 2;
    *max_execute_level = *max_leaf_level;
    return &page_format_npt;
}

static void destroy(struct vcpu *vcpu)
{
    if (vcpu->control_page != NULL)
        pages_free(vcpu->control_page, 1);
    if (vcpu->svm.host != NULL)
        pages_free(vcpu->svm.host, 1);
    vcpu->control_page = NULL;
    vcpu->svm.host = NULL;
}

static enum status create(struct vcpu *vcpu)
{
    vcpu->control_page = pages_allocate(1);
    vcpu->svm.host = pages_allocate(1);
    if (vcpu->control_page == NULL || vcpu->svm.host == NULL) {
        destroy(vcpu);
        return STATUS_NO_MEMORY;
    }
    svm_vmcb_init(svm_vmcb(vcpu), physical_address(msrpm), physical_address(iopm),
                  physical_address(vcpu->memory->root));
    return STATUS_OK;
}

const struct vcpu_setup svm_setup = {
    .offered = offered,
    .absent = "CPUID 80000001h ECX.SVM is clear: the CPU has no SVM, or it is hidden",
    .backend = &svm_backend,
    .probe = probe,
    .enable_core = enable_core,
    .memory_format = memory_format,
    .create = create,
    .destroy = destroy,
};
