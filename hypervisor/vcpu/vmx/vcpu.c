/* SPDX-License-Identifier: MIT */
/* A vCPU's VMCS while it is loaded, and the back-end's table. */
#include "hypervisor/abi/calls.h"
#include "hypervisor/vcpu/vmx/vmcs.h"
#include "hypervisor/vcpu/vmx/vmx.h"
#include "hypervisor/x86/descriptors.h"
#include "hypervisor/x86/registers.h"
#include "hypervisor/memory/pages.h"

/* #DB and #AC: a guest that makes them fault while they are delivered would otherwise never leave
 * the microcode (CVE-2015-8104, CVE-2015-5307). #MC: the machine's business. */
#define EXCEPTION_BITMAP                                                                           \
    (BIT(VECTOR_DEBUG) | BIT(VECTOR_ALIGNMENT_CHECK) | BIT(VECTOR_MACHINE_CHECK))

_Static_assert(offsetof(struct cpu, nmi_count) == 28, "entry.asm");
_Static_assert(offsetof(struct cpu, nmi_seen) == 56, "entry.asm");

/* Operand of LGDT and LIDT. */
struct PACKED table_register {
    uint16_t limit; /* 0 */
    uint64_t base;  /* 2 */
};
_Static_assert(sizeof(struct table_register) == 10, "SDM 3A 2.4");

const struct vmx_way vmx_plain = {vmx_run, vmx_exit_point};
const struct vmx_way vmx_guarded = {vmx_guarded_run, vmx_guarded_exit_point};
const struct vmx_way *vmx_way = &vmx_plain;
uint8_t vmx_entry_flush;
const uint16_t vmx_data_selector = SELECTOR_DATA;

static uint64_t ept_pointer(const struct vcpu *vcpu)
{
    return physical_address(vcpu->memory->root) | EPT_POINTER_WRITE_BACK |
           EPT_POINTER_LEVELS(vcpu->memory->levels);
}

static void write_controls(const struct vcpu *vcpu)
{
    vmcs_write(VMCS_PIN_CONTROLS, vmx_controls.word[VMX_PIN]);
    vmcs_write(VMCS_PRIMARY_CONTROLS, vmx_controls.word[VMX_PRIMARY]);
    vmcs_write(VMCS_SECONDARY_CONTROLS, vmx_controls.word[VMX_SECONDARY]);
    vmcs_write(VMCS_EXIT_CONTROLS, vmx_controls.word[VMX_EXIT]);
    vmcs_write(VMCS_EXCEPTION_BITMAP, EXCEPTION_BITMAP);
    vmcs_write(VMCS_PAGE_FAULT_MASK, 0);
    vmcs_write(VMCS_PAGE_FAULT_MATCH, 0);
    vmcs_write(VMCS_CR3_TARGET_COUNT, 0);
    vmcs_write(VMCS_EXIT_MSR_STORE_COUNT, 0);
    vmcs_write(VMCS_EXIT_MSR_LOAD_COUNT, 0);
    vmcs_write(VMCS_ENTRY_MSR_LOAD_COUNT, 0);
    vmcs_write(VMCS_IO_BITMAP_A, physical_address(vmx_io_bitmaps[0]));
    vmcs_write(VMCS_IO_BITMAP_B, physical_address(vmx_io_bitmaps[1]));
    vmcs_write(VMCS_MSR_BITMAP, physical_address(vmx_msr_bitmap));
    vmcs_write(VMCS_EPT_POINTER, ept_pointer(vcpu));
    vmcs_write(VMCS_CR0_MASK, vmx_cr0_mask());
    vmcs_write(VMCS_CR4_MASK, vmx_cr4_mask());
    if (vmx_has(VMX_SECONDARY, SECONDARY_VPID))
        vmcs_write(VMCS_VPID, VMX_VPID);
    if (vmx_has(VMX_SECONDARY, SECONDARY_XSAVES))
        vmcs_write(VMCS_XSS_EXIT_BITMAP, 0);
    if (vmx_has(VMX_SECONDARY, SECONDARY_ENCLS_EXIT))
        vmcs_write(VMCS_ENCLS_EXIT_BITMAP, ~UINT64_C(0));
    if (vmx_has(VMX_SECONDARY, SECONDARY_ENCLV_EXIT))
        vmcs_write(VMCS_ENCLV_EXIT_BITMAP, ~UINT64_C(0));
}

/* What no struct vcpu_state carries, as it is after reset: a vCPU that is started again may have
 * been halted, in an interrupt shadow, or in the middle of an event. */
static void write_initial_state(void)
{
    vmcs_write(VMCS_LINK_POINTER, ~UINT64_C(0));
    vmcs_write(VMCS_GUEST_DEBUGCTL, 0);
    vmcs_write(VMCS_GUEST_PAT, PAT_RESET);
    vmcs_write(VMCS_GUEST_SYSENTER_CS, 0);
    vmcs_write(VMCS_GUEST_SYSENTER_ESP, 0);
    vmcs_write(VMCS_GUEST_SYSENTER_EIP, 0);
    vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, 0);
    vmcs_write(VMCS_GUEST_ACTIVITY, ACTIVITY_ACTIVE);
    vmcs_write(VMCS_GUEST_PENDING_DEBUG, 0);
    vmcs_write(VMCS_ENTRY_INTERRUPTION, 0);
}

/* The host state is this core's, as it is now: exits put it back (SDM 3C 28.5). */
static void write_host_state(const struct vcpu *vcpu)
{
    uintptr_t tables = (uintptr_t)core_tables[vcpu->cpu->index];
    vmcs_write(VMCS_HOST_CR0, cr0_read());
    vmcs_write(VMCS_HOST_CR3, cr3_read());
    vmcs_write(VMCS_HOST_CR4, cr4_read());
    vmcs_write(VMCS_HOST_CS_SELECTOR, SELECTOR_CODE);
    vmcs_write(VMCS_HOST_SS_SELECTOR, SELECTOR_DATA);
    vmcs_write(VMCS_HOST_DS_SELECTOR, SELECTOR_DATA);
    vmcs_write(VMCS_HOST_ES_SELECTOR, SELECTOR_DATA);
    vmcs_write(VMCS_HOST_FS_SELECTOR, 0);
    vmcs_write(VMCS_HOST_GS_SELECTOR, 0);
    vmcs_write(VMCS_HOST_TR_SELECTOR, SELECTOR_TSS);
    vmcs_write(VMCS_HOST_FS_BASE, msr_read(MSR_FS_BASE));
    vmcs_write(VMCS_HOST_GS_BASE, msr_read(MSR_GS_BASE));
    vmcs_write(VMCS_HOST_TR_BASE, tables + CORE_GDT_SIZE);
    vmcs_write(VMCS_HOST_GDTR_BASE, tables);
    vmcs_write(VMCS_HOST_IDTR_BASE, (uintptr_t)idt);
    vmcs_write(VMCS_HOST_SYSENTER_CS, 0);
    vmcs_write(VMCS_HOST_SYSENTER_ESP, 0);
    vmcs_write(VMCS_HOST_SYSENTER_EIP, 0);
    vmcs_write(VMCS_HOST_PAT, msr_read(MSR_PAT));
    vmcs_write(VMCS_HOST_EFER, msr_read(MSR_EFER));
    vmcs_write(VMCS_HOST_RIP, (uintptr_t)vmx_way->exit_point);
}

static void flush_memory(struct vcpu *vcpu)
{
    bool single = (vmx_capabilities.ept_vpid & VMX_EPT_INVEPT_SINGLE) != 0;
    vmx_invept(single ? INVEPT_SINGLE : INVEPT_ALL, ept_pointer(vcpu));
}

static void flush_translations(void)
{
    if (!vmx_has(VMX_SECONDARY, SECONDARY_VPID))
        return; /* every entry and exit flushes them */
    if (vmx_capabilities.ept_vpid & VMX_VPID_INVVPID_SINGLE)
        vmx_invvpid(INVVPID_SINGLE, VMX_VPID);
    else if (vmx_capabilities.ept_vpid & VMX_VPID_INVVPID_ALL)
        vmx_invvpid(INVVPID_ALL, 0);
}

static enum status load(struct vcpu *vcpu)
{
    uint64_t vmcs = physical_address(vcpu->control_page);
    enum status status = vmcs_clear(vmcs);
    if (status == STATUS_OK)
        status = vmcs_load(vmcs);
    if (status != STATUS_OK)
        return status;
    write_controls(vcpu);
    write_host_state(vcpu);
    write_initial_state();
    guest_register_write(CORE_CR2, vcpu->cr2);
    /* The VPID and the EPT root may have been another guest's on this core. */
    flush_translations();
    flush_memory(vcpu);
    return STATUS_OK;
}

static void unload(struct vcpu *vcpu)
{
    vcpu->cr2 = guest_register_read(CORE_CR2);
    guest_register_write(CORE_CR2, 0);
    (void)!vmcs_clear(physical_address(vcpu->control_page)); /* logged; nothing else can be done */

    /* Exits set both limits to 0xffff. */
    const struct table_register gdtr = {CORE_GDT_SIZE - 1,
                                        (uintptr_t)core_tables[vcpu->cpu->index]},
                                idtr = {sizeof idt - 1, (uintptr_t)idt};
    __asm__ volatile("lgdt %0; lidt %1" : : "m"(gdtr), "m"(idtr));
}

static enum outcome run(struct vcpu *vcpu)
{
    return vmx_way->run(vcpu);
}

const struct vcpu_backend vmx_backend = {
    .name = "vmx",
    .call_instruction = ABI_CALL_VMCALL,
    .load = load,
    .unload = unload,
    .run = run,
    .read_state = vmx_read_state,
    .read_mode = vmx_read_mode,
    .write_state = vmx_write_state,
    .efer = vmx_efer,
    .osxsave = vmx_osxsave,
    .cpl = vmx_cpl,
    .set_rip = vmx_set_rip,
    .inject = vmx_inject,
    .flush_memory = flush_memory,
};
