/* SPDX-License-Identifier: MIT */
/* Is VMX there, switching it on for a core, and VMCSs: SDM 3C 24.7, 24.8 (CR0 and CR4 fixed bits),
 * 24.11. */
#include "hypervisor/setup/vmx.h"

#include "hypervisor/base/log.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/setup/memory.h"
#include "hypervisor/setup/vmx_registers.h"
#include "hypervisor/vcpu/vmx/vmcs.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/exceptions.h"
#include "hypervisor/x86/registers.h"

#define CPUID_1_ECX_VMX               BIT(5)
#define CPUID_7_EDX_ARCH_CAPABILITIES BIT(29)
#define MSR_ARCH_CAPABILITIES         0x10a

static unsigned largest_leaf = 1, largest_code_leaf = 1; /* levels: 1 to 3 */

/* A guest's code runs from its RAM's large pages, and a guest could make the sizes change under it:
 * on CPUs with the erratum there are none. */
static void choose_leaf(void)
{
    uint64_t arch_capabilities = 0;
    bool has_msr = cpuid(0, 0).eax >= 7 && (cpuid(7, 0).edx & CPUID_7_EDX_ARCH_CAPABILITIES) != 0;
    if (has_msr && !msr_read_safe(MSR_ARCH_CAPABILITIES, &arch_capabilities))
        arch_capabilities = 0;
    bool affected = vmx_itlb_multihit(cpuid(1, 0).eax, arch_capabilities);
    largest_leaf = vmx_capabilities.ept_vpid & VMX_EPT_1G   ? 3
                   : vmx_capabilities.ept_vpid & VMX_EPT_2M ? 2
                                                            : 1;
    largest_code_leaf = affected ? 1 : largest_leaf;
    static const char *const names[] = {"", "4K", "2M", "1G"};
    log_event("vmx.itlb_multihit", "affected=%s arch_capabilities=0x%lx largest_page=%s code=%s",
              affected ? "yes" : "no", arch_capabilities, names[largest_leaf],
              names[largest_code_leaf]);
}

static bool offered(void)
{
    return (cpuid(1, 0).ecx & CPUID_1_ECX_VMX) != 0;
}

/* What this CPU wants of a VMCS, for whoever has to explain a refused entry (build/entry). */
static void log_capabilities(void)
{
    const struct vmx_capabilities *c = &vmx_capabilities;
    log_event("vmx.fixed", "cr0=%#lx:%#lx cr4=%#lx:%#lx physical_bits=%u", c->cr0_fixed0,
              c->cr0_fixed1, c->cr4_fixed0, c->cr4_fixed1, physical_address_bits());
    const struct vmx_allowed *a = c->allowed;
    log_event("vmx.allowed",
              "pin=%#x:%#x:%#x primary=%#x:%#x:%#x secondary=%#x:%#x:%#x exit=%#x:%#x:%#x "
              "entry=%#x:%#x:%#x",
              a[VMX_PIN].msr, a[VMX_PIN].must, a[VMX_PIN].may, a[VMX_PRIMARY].msr,
              a[VMX_PRIMARY].must, a[VMX_PRIMARY].may, a[VMX_SECONDARY].msr, a[VMX_SECONDARY].must,
              a[VMX_SECONDARY].may, a[VMX_EXIT].msr, a[VMX_EXIT].must, a[VMX_EXIT].may,
              a[VMX_ENTRY].msr, a[VMX_ENTRY].must, a[VMX_ENTRY].may);
}

static enum status probe(void)
{
    uint64_t feature_control, write;
    if (!msr_read_safe(MSR_FEATURE_CONTROL, &feature_control))
        feature_control = 0;
    enum status status = vmx_feature_control_check(feature_control, &write);
    if (status != STATUS_OK)
        return status;
    vmx_capabilities_read(&vmx_capabilities, msr_read);
    status = vmx_controls_choose(&vmx_capabilities, &vmx_controls);
    if (status != STATUS_OK)
        return status;
    nmi_windows[1] =
        (struct nmi_window){(uintptr_t)vmx_launch_window, (uintptr_t)vmx_launch_window_end,
                            (uintptr_t)vmx_launch_kicked};
    nmi_windows[2] =
        (struct nmi_window){(uintptr_t)vmx_resume_window, (uintptr_t)vmx_resume_window_end,
                            (uintptr_t)vmx_resume_kicked};
    vmx_bitmaps_build();
    choose_leaf();
    log_event("vmx.controls",
              "pin=0x%x primary=0x%x secondary=0x%x exit=0x%x entry=0x%x ept_vpid=0x%lx",
              vmx_controls.word[VMX_PIN], vmx_controls.word[VMX_PRIMARY],
              vmx_controls.word[VMX_SECONDARY], vmx_controls.word[VMX_EXIT],
              vmx_controls.word[VMX_ENTRY], vmx_capabilities.ept_vpid);
    log_capabilities();
    return STATUS_OK;
}

/* The lock bit is per core, and the firmware may have forgotten some. */
static enum status unlock_vmx(void)
{
    uint64_t value, write;
    if (!msr_read_safe(MSR_FEATURE_CONTROL, &value))
        value = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_NO_SMX;
    enum status status = vmx_feature_control_check(value, &write);
    if (status == STATUS_OK && write != 0 && !msr_write_safe(MSR_FEATURE_CONTROL, write)) {
        log_event("cpu.refused",
                  "name=vmx control=\"VMXON outside SMX\" msr=0x3a value=0x%lx message=\"the CPU "
                  "refused to have VMX enabled and locked\"",
                  write);
        return STATUS_DEVICE;
    }
    return status;
}

/* What VMXON would raise an exception for that nobody could explain afterwards (SDM 3C 24.7, 24.8,
 * 31.3); what else it refuses it says by its flags. NULL: nothing. */
static const char *vmx_on_problem(const struct vmx_region *region)
{
    const struct vmx_capabilities *fixed = &vmx_capabilities;
    uint64_t cr0 = cr0_read(), cr4 = cr4_read(), feature_control;
    if ((cr4 & CR4_VMXE) == 0)
        return "CR4.VMXE is clear, and VMXON raises #UD: it must be set before, and an outer "
               "hypervisor must let it be set";
    if ((cr0 & fixed->cr0_fixed0) != fixed->cr0_fixed0 || (cr0 & ~fixed->cr0_fixed1) != 0)
        return "CR0 has not the bits that IA32_VMX_CR0_FIXED0 and 1 want, and VMXON raises #GP";
    if ((cr4 & fixed->cr4_fixed0) != fixed->cr4_fixed0 || (cr4 & ~fixed->cr4_fixed1) != 0)
        return "CR4 has not the bits that IA32_VMX_CR4_FIXED0 and 1 want, and VMXON raises #GP";
    if (msr_read_safe(MSR_FEATURE_CONTROL, &feature_control) &&
        (feature_control & FEATURE_CONTROL_VMX_NO_SMX) == 0)
        return "IA32_FEATURE_CONTROL does not allow VMXON outside SMX (bit 2), and VMXON raises "
               "#GP: it must be set and locked on each core";
    if (region->revision != VMX_BASIC_REVISION(vmx_capabilities.basic))
        return "the VMXON region does not begin with the revision identifier of IA32_VMX_BASIC";
    return NULL;
}

static enum status vmx_on(const struct vmx_region *region)
{
    bool done;
    uint64_t physical = physical_address(region);
    const char *problem = vmx_on_problem(region);
    if (problem != NULL) {
        log_event("cpu.refused", "name=vmx cr0=%#lx cr4=%#lx revision=%#x message=\"%s\"",
                  cr0_read(), cr4_read(), region->revision, problem);
        return STATUS_DEVICE;
    }
    __asm__ volatile("vmxon %1" : "=@cca"(done) : "m"(physical) : "memory");
    if (done)
        return STATUS_OK;
    /* No VMREAD here: outside VMX operation it would raise #UD. */
    log_event("vmx.failed",
              "instruction=vmxon operand=0x%lx message=\"the CPU refused the VMXON region: it must "
              "be a page of its own below the physical-address width\"",
              physical);
    return STATUS_DEVICE;
}

static enum status enable_core(void)
{
    enum status status = unlock_vmx();
    if (status != STATUS_OK)
        return status;
    struct vmx_region *region = pages_allocate(1); /* the CPU's for as long as VMX is on */
    if (region == NULL)
        return STATUS_NO_MEMORY;
    region->revision = VMX_BASIC_REVISION(vmx_capabilities.basic);
    const struct vmx_capabilities *fixed = &vmx_capabilities;
    cr0_write((cr0_read() | fixed->cr0_fixed0) & fixed->cr0_fixed1);
    cr4_write((cr4_read() | fixed->cr4_fixed0 | CR4_VMXE) & fixed->cr4_fixed1);
    status = vmx_on(region);
    if (status != STATUS_OK) {
        cr4_write(cr4_read() & ~CR4_VMXE);
        pages_free(region, 1);
        return status;
    }
    /* Translations that an earlier owner of this core left behind. */
    vmx_invept(INVEPT_ALL, 0);
    if (vmx_capabilities.ept_vpid & VMX_VPID_INVVPID_ALL)
        vmx_invvpid(INVVPID_ALL, 0);
    return STATUS_OK;
}

static const struct page_table_format *memory_format(unsigned *max_leaf_level,
                                                     unsigned *max_execute_level)
{
    *max_leaf_level = largest_leaf;
    *max_execute_level = largest_code_leaf;
    return &page_format_ept;
}

static enum status create(struct vcpu *vcpu)
{
    struct vmx_region *vmcs = pages_allocate(1);
    if (vmcs == NULL)
        return STATUS_NO_MEMORY;
    vmcs->revision = VMX_BASIC_REVISION(vmx_capabilities.basic);
    vcpu->control_page = vmcs;
    return STATUS_OK;
}

static void destroy(struct vcpu *vcpu)
{
    if (vcpu->control_page != NULL)
        pages_free(vcpu->control_page, 1);
    vcpu->control_page = NULL;
}

/* No core runs a guest yet: none is between the instructions that the windows name. */
static void guard_entries(bool flush_cache)
{
    nmi_windows[1] = (struct nmi_window){(uintptr_t)vmx_guarded_launch_window,
                                         (uintptr_t)vmx_guarded_launch_window_end,
                                         (uintptr_t)vmx_guarded_launch_kicked};
    nmi_windows[2] = (struct nmi_window){(uintptr_t)vmx_guarded_resume_window,
                                         (uintptr_t)vmx_guarded_resume_window_end,
                                         (uintptr_t)vmx_guarded_resume_kicked};
    vmx_entry_flush = flush_cache;
    vmx_way = &vmx_guarded;
}

const struct vcpu_setup vmx_setup = {
    .offered = offered,
    .absent = "CPUID 1 ECX bit 5 is clear: this CPU has no VMX, or the machine is virtual and its "
              "host does not offer nested virtualization",
    .backend = &vmx_backend,
    .probe = probe,
    .enable_core = enable_core,
    .memory_format = memory_format,
    .create = create,
    .destroy = destroy,
    .guard_entries = guard_entries,
};
