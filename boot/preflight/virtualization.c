/* SPDX-License-Identifier: MIT */
/* What the processor can do for guests, by the names of the manuals, and what firmware locked. */
#include "boot/preflight/preflight.h"

#include "boot/preflight/report.h"
#include "hypervisor/base/log.h"
#include "hypervisor/setup/vmx.h"
#include "hypervisor/setup/vmx_registers.h"

#define CPUID_1_ECX_VMX BIT(5)
#define CPUID_1_EDX_MSR BIT(5)
#define CPUID_SVM       0x8000000au
#define MSR_SMI_COUNT   0x34
#define MSR_ARCH        0x10a
#define MSR_VM_CR       0xc0010114
#define VM_CR_LOCK      BIT(3)
#define VM_CR_SVMDIS    BIT(4)

static void lock_log(uint64_t value)
{
    log_event("cpu.lock", "msr=0x3a value=0x%lx locked=%s vmx=%s smx=%s lmce=%s sgx=%s", value,
              yes_no((value & FEATURE_CONTROL_LOCK) != 0),
              yes_no((value & FEATURE_CONTROL_VMX_NO_SMX) != 0), yes_no((value & BIT(1)) != 0),
              yes_no((value & BIT(20)) != 0), yes_no((value & BIT(18)) != 0));
}

static void controls_log(const struct vmx_capabilities *capabilities)
{
    static const char *const words[VMX_CONTROL_WORDS] = {
        [VMX_PIN] = "pin",   [VMX_PRIMARY] = "primary", [VMX_SECONDARY] = "secondary",
        [VMX_EXIT] = "exit", [VMX_ENTRY] = "entry",
    };
    struct vmx_control_fact fact;
    for (size_t i = 0; vmx_control_fact(i, capabilities, &fact); i++)
        log_event("vmx.control", "word=%s bit=0x%x name=\"%s\" need=%s on=%s off=%s",
                  words[fact.word], fact.bit, fact.name, fact.need, yes_no(fact.can_be_on),
                  yes_no(fact.can_be_off));
}

static bool vmx_log(const struct preflight_cpu *cpu)
{
    struct vmx_capabilities capabilities;
    struct vmx_controls controls;
    vmx_capabilities_read(&capabilities, cpu->msr);
    log_event("vmx.capabilities",
              "basic=0x%lx misc=0x%lx ept_vpid=0x%lx cr0_fixed0=0x%lx cr0_fixed1=0x%lx "
              "cr4_fixed0=0x%lx cr4_fixed1=0x%lx",
              capabilities.basic, capabilities.misc, capabilities.ept_vpid, capabilities.cr0_fixed0,
              capabilities.cr0_fixed1, capabilities.cr4_fixed0, capabilities.cr4_fixed1);
    for (size_t word = 0; word < VMX_CONTROL_WORDS; word++)
        log_event("vmx.msr", "msr=0x%x must=0x%x may=0x%x", capabilities.allowed[word].msr,
                  capabilities.allowed[word].must, capabilities.allowed[word].may);
    controls_log(&capabilities);
    return vmx_controls_choose(&capabilities, &controls) == STATUS_OK;
}

static void smi_log(const struct preflight_cpu *cpu, const struct preflight *facts)
{
    uint32_t signature = cpu->cpuid(1, 0).eax;
    /* Documented from Nehalem and Silvermont on, the first of their families with leaf 0Bh. */
    bool there = facts->intel && !facts->under_hypervisor && FIELD(signature, 11, 8) == 6 &&
                 cpu->cpuid(0, 0).eax >= 0xb && (cpu->cpuid(0xb, 0).ebx & 0xffff) != 0;
    if (!there) {
        log_event("cpu.smi", "count=unknown message=\"this CPU does not count them, or a "
                             "hypervisor is below\"");
        return;
    }
    report_varies(true);
    log_event("cpu.smi", "count=%u", (uint32_t)cpu->msr(MSR_SMI_COUNT));
    report_varies(false);
}

static bool svm_log(const struct preflight_cpu *cpu)
{
    struct cpuid_result features = cpu->cpuid(CPUID_SVM, 0);
    uint64_t vm_cr = cpu->msr(MSR_VM_CR);
    bool paging = (features.edx & BIT(0)) != 0;
    bool locked = (vm_cr & VM_CR_SVMDIS) != 0 && (vm_cr & VM_CR_LOCK) != 0;
    log_event("cpu.svm", "revision=%u asids=%u nested_paging=%s next_rip=%s vm_cr=0x%lx off=%s",
              features.eax & 0xff, features.ebx, yes_no(paging),
              yes_no((features.edx & BIT(3)) != 0), vm_cr, yes_no((vm_cr & VM_CR_SVMDIS) != 0));
    if (locked)
        log_event("cpu.refused",
                  "name=svm message=\"firmware switched SVM off and locked it (VM_CR.SVMDIS, "
                  "VM_CR.LOCK): enable SVM or virtualization in the firmware's set-up\"");
    if (!paging)
        log_event("cpu.refused",
                  "name=svm message=\"CPUID 8000000Ah EDX.NP is clear: nested paging "
                  "is needed\"");
    return paging && !locked && features.ebx >= 2;
}

void preflight_virtualization(const struct preflight_cpu *cpu, struct preflight *facts)
{
    struct cpuid_result one = cpu->cpuid(1, 0);
    bool msrs = (one.edx & CPUID_1_EDX_MSR) != 0;
    bool vmx = msrs && (one.ecx & CPUID_1_ECX_VMX) != 0;
    bool svm = msrs && cpu->cpuid(0x80000000, 0).eax >= CPUID_SVM &&
               (cpu->cpuid(0x80000001, 0).ecx & BIT(2)) != 0;
    facts->vmx = facts->svm = false;
    if (vmx) {
        uint64_t value = cpu->msr(MSR_FEATURE_CONTROL), write;
        lock_log(value);
        facts->vmx = vmx_feature_control_check(value, &write) == STATUS_OK;
        facts->vmx = vmx_log(cpu) && facts->vmx;
    } else if (!svm) {
        log_event("cpu.refused",
                  "name=vmx message=\"CPUID 1 ECX bit 5 is clear: this CPU has no VMX, or the "
                  "machine is virtual and its host does not offer nested virtualization\"");
    }
    if (svm)
        facts->svm = svm_log(cpu);
    if (!facts->x2apic)
        log_event("cpu.refused", "name=x2apic cpuid=0x1 message=\"the CPU has no x2APIC; switch it "
                                 "on in the firmware's set-up\"");
    if (msrs && cpu->cpuid(0, 0).eax >= 7 && (cpu->cpuid(7, 0).edx & BIT(29)) != 0)
        log_event("cpu.vulnerability", "arch_capabilities=0x%lx", cpu->msr(MSR_ARCH));
    if (msrs)
        smi_log(cpu, facts);
}
