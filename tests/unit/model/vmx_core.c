/* SPDX-License-Identifier: MIT */
#include "tests/unit/model/vmx_core.h"

#include <stdio.h>
#include <stdarg.h>
#include <string.h>

#include "hypervisor/setup/vmx_registers.h"
#include "hypervisor/vcpu/vmx/vmcs.h"
#include "tests/unit/model/vmx_core_trap.h"

struct vmx_core vmx_core;
static char violation[300];

/* What a VMCS holds that nobody wrote. */
#define STALE UINT64_C(0x5a5a5a5a5a5a5a5a)

void vmx_core_violates(const char *format, ...)
{
    va_list arguments;
    if (violation[0] != '\0')
        return;
    va_start(arguments, format);
    vsnprintf(violation, sizeof violation, format, arguments);
    va_end(arguments);
}

const char *vmx_core_violation(void)
{
    return violation[0] != '\0' ? violation : NULL;
}

static uint64_t capability(uint32_t msr)
{
    return vmx_core.capability[msr - MSR_VMX_BASIC];
}

static void allow(enum vmx_control_word word, uint32_t msr)
{
    uint64_t value = capability(msr);
    vmx_core.vmcs.allowed[word] =
        (struct vmx_allowed){.msr = msr, .must = (uint32_t)value, .may = (uint32_t)(value >> 32)};
}

void vmx_core_reset(const uint64_t *capabilities)
{
    memset(&vmx_core, 0, sizeof vmx_core);
    violation[0] = '\0';
    memcpy(vmx_core.capability, capabilities, sizeof vmx_core.capability);
    vmx_core.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_WP | CR0_PG;
    vmx_core.cr3 = 0x1234000;
    vmx_core.cr4 = CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    vmx_core.feature_control = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_NO_SMX;
    vmx_core.pat = UINT64_C(0x0007040600070106);
    vmx_core.efer = EFER_LME | EFER_LMA | EFER_NXE;
    struct vmx_view *vmcs = &vmx_core.vmcs;
    vmx_view_clear(vmcs);
    vmcs->cr0_fixed0 = capability(MSR_VMX_CR0_FIXED0);
    vmcs->cr0_fixed1 = capability(MSR_VMX_CR0_FIXED1);
    vmcs->cr4_fixed0 = capability(MSR_VMX_CR4_FIXED0);
    vmcs->cr4_fixed1 = capability(MSR_VMX_CR4_FIXED1);
    vmcs->physical_bits = 48; /* physical addresses are this program's own */
    allow(VMX_PIN, MSR_VMX_TRUE_PIN);
    allow(VMX_PRIMARY, MSR_VMX_TRUE_PRIMARY);
    allow(VMX_SECONDARY, MSR_VMX_SECONDARY);
    allow(VMX_EXIT, MSR_VMX_TRUE_EXIT);
    allow(VMX_ENTRY, MSR_VMX_TRUE_ENTRY);
    vmx_core_trap();
}

void vmx_core_in_operation(void)
{
    vmx_core.cr0 |= capability(MSR_VMX_CR0_FIXED0);
    vmx_core.cr4 |= CR4_VMXE;
    vmx_core.vmxon = 0x7000;
}

/* --- registers --- */

static uint64_t *msr_place(uint32_t msr)
{
    switch (msr) {
    case MSR_FEATURE_CONTROL:
        return &vmx_core.feature_control;
    case MSR_FS_BASE:
        return &vmx_core.fs_base;
    case MSR_GS_BASE:
        return &vmx_core.gs_base;
    case MSR_KERNEL_GS_BASE:
        return &vmx_core.kernel_gs_base;
    case MSR_PAT:
        return &vmx_core.pat;
    case MSR_EFER:
        return &vmx_core.efer;
    default:
        return msr >= MSR_VMX_BASIC && msr < MSR_VMX_BASIC + VMX_CORE_MSRS
                   ? &vmx_core.capability[msr - MSR_VMX_BASIC]
                   : NULL;
    }
}

uint64_t vmx_core_msr(uint32_t msr)
{
    uint64_t value = 0;
    if (!msr_read_safe(msr, &value))
        vmx_core_violates("RDMSR of %#x, which this CPU does not have, raises #GP", msr);
    return value;
}

bool msr_read_safe(uint32_t msr, uint64_t *value)
{
    const uint64_t *place = msr_place(msr);
    *value = place != NULL ? *place : 0;
    return place != NULL;
}

bool msr_write_safe(uint32_t msr, uint64_t value)
{
    uint64_t *place = msr_place(msr);
    bool locked = msr == MSR_FEATURE_CONTROL && (vmx_core.feature_control & FEATURE_CONTROL_LOCK);
    if (place == NULL || locked || (msr >= MSR_VMX_BASIC && msr < MSR_VMX_BASIC + VMX_CORE_MSRS))
        return false;
    *place = value;
    return true;
}

static bool fixed(uint64_t value, uint32_t fixed0)
{
    return (value & capability(fixed0)) == capability(fixed0) &&
           (value & ~capability(fixed0 + 1)) == 0;
}

uint64_t vmx_core_control(unsigned number)
{
    return number == 0 ? vmx_core.cr0 : number == 3 ? vmx_core.cr3 : number == 4 ? vmx_core.cr4 : 0;
}

void vmx_core_set_control(unsigned number, uint64_t value)
{
    if (vmx_core.vmxon != 0 && ((number == 0 && !fixed(value, MSR_VMX_CR0_FIXED0)) ||
                                (number == 4 && !fixed(value, MSR_VMX_CR4_FIXED0))))
        vmx_core_violates("MOV to CR%u of %#llx raises #GP: in VMX operation the fixed bits stay "
                          "as they are (SDM 3C 24.8)",
                          number, (unsigned long long)value);
    if (number == 0)
        vmx_core.cr0 = value;
    else if (number == 3)
        vmx_core.cr3 = value;
    else if (number == 4)
        vmx_core.cr4 = value;
}

/* --- regions --- */

static bool is_region(const char *instruction, uint64_t physical, unsigned malformed)
{
    if ((physical & 0xfff) != 0 || physical == 0) {
        vmx_core_violates("%s of %#llx: VM-instruction error %u, that is not a page", instruction,
                          (unsigned long long)physical, malformed);
        return false;
    }
    return true;
}

static uint32_t revision_of(uint64_t physical)
{
    return *(const uint32_t *)(uintptr_t)physical; /* the host's own address */
}

static uint32_t wanted_revision(void)
{
    return VMX_BASIC_REVISION(capability(MSR_VMX_BASIC));
}

bool vmx_core_vmxon(uint64_t physical)
{
    const uint64_t allowed = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_NO_SMX;
    if ((vmx_core.cr4 & CR4_VMXE) == 0)
        vmx_core_violates("VMXON raises #UD: CR4.VMXE (bit 13) is clear (SDM 3C 24.7)");
    else if (!fixed(vmx_core.cr0, MSR_VMX_CR0_FIXED0))
        vmx_core_violates("VMXON raises #GP: CR0 is %#llx, without the bits that VMX fixes "
                          "(SDM 3C 24.8)",
                          (unsigned long long)vmx_core.cr0);
    else if (!fixed(vmx_core.cr4, MSR_VMX_CR4_FIXED0))
        vmx_core_violates("VMXON raises #GP: CR4 is %#llx, without the bits that VMX fixes "
                          "(SDM 3C 24.8)",
                          (unsigned long long)vmx_core.cr4);
    else if ((vmx_core.feature_control & allowed) != allowed)
        vmx_core_violates("VMXON raises #GP: IA32_FEATURE_CONTROL is %#llx; bits 0 (lock) and 2 "
                          "(VMXON outside SMX) must be set (SDM 3C 24.7)",
                          (unsigned long long)vmx_core.feature_control);
    else if (is_region("VMXON", physical, 0) && revision_of(physical) != wanted_revision())
        vmx_core_violates("VMXON fails: the region begins with %#x instead of the revision "
                          "identifier %#x (SDM 3C 24.11.5)",
                          revision_of(physical), wanted_revision());
    else if (!vmx_core.refuse_vmxon && vmx_core_violation() == NULL)
        vmx_core.vmxon = physical;
    return vmx_core.vmxon != 0;
}

static bool in_operation(const char *instruction)
{
    if (vmx_core.vmxon == 0)
        vmx_core_violates("%s outside VMX operation raises #UD: VMXON comes first (SDM 3C 31.3)",
                          instruction);
    return vmx_core.vmxon != 0;
}

enum status vmcs_clear(uint64_t physical)
{
    if (!in_operation("VMCLEAR") || !is_region("VMCLEAR", physical, 2))
        return STATUS_DEVICE;
    vmx_core.current = 0;
    return STATUS_OK;
}

enum status vmcs_load(uint64_t physical)
{
    if (!in_operation("VMPTRLD") || !is_region("VMPTRLD", physical, 9))
        return STATUS_DEVICE;
    if (revision_of(physical) != wanted_revision()) {
        vmx_core_violates("VMPTRLD fails with VM-instruction error 11: the VMCS begins with %#x "
                          "instead of the revision identifier %#x of IA32_VMX_BASIC (SDM 3C 25.2)",
                          revision_of(physical), wanted_revision());
        return STATUS_DEVICE;
    }
    vmx_core.current = physical;
    return STATUS_OK;
}

void vmx_invept(uint64_t type, uint64_t ept_pointer)
{
    if (!in_operation("INVEPT"))
        return;
    vmx_core.invept_all += type == INVEPT_ALL;
    vmx_core.invept_single += type == INVEPT_SINGLE;
}

void vmx_invvpid(uint64_t type, uint16_t vpid)
{
    if (!in_operation("INVVPID"))
        return;
    vmx_core.invvpid_all += type == INVVPID_ALL;
    vmx_core.invvpid_single += type == INVVPID_SINGLE;
}

/* --- fields --- */

static bool exists(uint32_t field)
{
    uint32_t may = vmx_core.vmcs.allowed[VMX_SECONDARY].may;
    switch (field) {
    case VMCS_VPID:
        return (may & SECONDARY_VPID) != 0;
    case VMCS_XSS_EXIT_BITMAP:
        return (may & SECONDARY_XSAVES) != 0;
    case VMCS_ENCLS_EXIT_BITMAP:
        return (may & SECONDARY_ENCLS_EXIT) != 0;
    case VMCS_ENCLV_EXIT_BITMAP:
        return (may & SECONDARY_ENCLV_EXIT) != 0;
    default:
        return vmcs_field_name(field) != NULL;
    }
}

static bool accessible(const char *instruction, uint32_t field)
{
    if (!in_operation(instruction))
        return false;
    const char *name = vmcs_field_name(field);
    if (vmx_core.current == 0)
        vmx_core_violates("%s of %s fails: no VMCS is current, VMPTRLD comes first", instruction,
                          name != NULL ? name : "a field");
    else if (!exists(field))
        vmx_core_violates("%s of %s (%#x) fails with VM-instruction error 12: this CPU has no such "
                          "field, since it does not have the control that uses it",
                          instruction, name != NULL ? name : "an unknown field", field);
    return vmx_core.current != 0 && exists(field);
}

uint64_t vmcs_read(enum vmcs_field field)
{
    if (!accessible("VMREAD", field))
        return 0;
    return vmx_core.vmcs.known[field] ? vmx_core.vmcs.value[field] : STALE;
}

/* Bits 14:13 of an encoding are the width (SDM 3C 25.11.2), bits 11:10 the kind. */
void vmcs_write(enum vmcs_field field, uint64_t value)
{
    static const uint64_t width[] = {UINT16_MAX, UINT64_MAX, UINT32_MAX, UINT64_MAX};
    if (!accessible("VMWRITE", field))
        return;
    if (FIELD(field, 11, 10) == 1) {
        vmx_core_violates("VMWRITE of %s fails with VM-instruction error 13: it is read-only",
                          vmcs_field_name(field));
        return;
    }
    vmx_core.vmcs.value[field] = value & width[FIELD(field, 14, 13)];
    vmx_core.vmcs.known[field] = true;
}

uint64_t guest_register_read(enum core_register which)
{
    return vmx_core.core_register[which];
}

void guest_register_write(enum core_register which, uint64_t value)
{
    vmx_core.core_register[which] = value;
}

bool vmx_core_entry_fails(char *text, size_t size)
{
    const char *fault;
    if (vmx_controls_fault(&vmx_core.vmcs, text, size) ||
        vmx_host_state_fault(&vmx_core.vmcs, text, size))
        return true;
    struct vmx_guest_view guest = vmx_view_guest(&vmx_core.vmcs);
    fault = vmx_guest_state_fault(&guest);
    if (fault != NULL)
        snprintf(text, size, "%s (guest state, SDM 3C 27.3.1)", fault);
    return fault != NULL || vmx_host_state_useless(&vmx_core.vmcs, text, size);
}
