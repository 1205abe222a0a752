/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/setup/vmx.c hypervisor/setup/vmx_controls.c
// SOURCES: hypervisor/setup/vmx_errata.c hypervisor/vcpu/vmx/vcpu.c hypervisor/vcpu/vmx/vmcs.c
// SOURCES: hypervisor/vcpu/vmx/state.c hypervisor/vcpu/vmx/exit.c hypervisor/vcpu/vmx/dump.c
// SOURCES: hypervisor/vcpu/vmx/shared.c hypervisor/vcpu/selected.c hypervisor/vcpu/state.c
// SOURCES: hypervisor/memory/formats.c hypervisor/memory/format_ept.c hypervisor/base/format.c
// SOURCES: hypervisor/x86/descriptors.c hypervisor/base/status.c tests/unit/model/vmx_core.c
// SOURCES: tests/unit/model/vmx_core_trap.c tests/tools/vmx_rules.c tests/tools/vmx_view.c
// SOURCES: tests/tools/vmx_check.c tests/tools/vmcs_names.c
/* L2, step 3: what makes a guest exit. */
#include "tests/labs/checks/vmx_bench.h"

static void expect_words(void)
{
    static const struct {
        enum vmx_control_word word;
        uint32_t field;
    } words[] = {{VMX_PIN, VMCS_PIN_CONTROLS},
                 {VMX_PRIMARY, VMCS_PRIMARY_CONTROLS},
                 {VMX_SECONDARY, VMCS_SECONDARY_CONTROLS},
                 {VMX_EXIT, VMCS_EXIT_CONTROLS}};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        expect_field(words[i].field, vmx_controls.word[words[i].word],
                     "boot has chosen it from what the policy wants and this CPU allows "
                     "(vmx_controls.word[], SDM 3C 25.6 and 25.7)");
}

static void expect_addresses(void)
{
    expect_field(VMCS_IO_BITMAP_A, physical_address(vmx_io_bitmaps[0]),
                 "A is for ports 0 to 7fffh, vmx_io_bitmaps[0] (SDM 3C 25.6.4)");
    expect_field(VMCS_IO_BITMAP_B, physical_address(vmx_io_bitmaps[1]),
                 "B is for ports 8000h to ffffh, vmx_io_bitmaps[1] (SDM 3C 25.6.4)");
    expect_field(VMCS_MSR_BITMAP, physical_address(vmx_msr_bitmap),
                 "the bitmaps say which MSRs exit, vmx_msr_bitmap (SDM 3C 25.6.9)");
    expect_field(VMCS_EPT_POINTER,
                 physical_address(tables.root) | EPT_POINTER_WRITE_BACK | EPT_POINTER_LEVELS(4),
                 "the root of vcpu->memory, memory type 6 and the levels less one: ept_pointer() "
                 "(SDM 3C 25.6.11)");
}

static void expect_optional(void)
{
    if (vmx_has(VMX_SECONDARY, SECONDARY_VPID))
        expect_field(VMCS_VPID, VMX_VPID, "VPIDs are enabled, and 0 is the host's own");
    if (vmx_has(VMX_SECONDARY, SECONDARY_XSAVES))
        expect_field(VMCS_XSS_EXIT_BITMAP, 0, "no XSAVES of a guest exits");
    if (vmx_has(VMX_SECONDARY, SECONDARY_ENCLS_EXIT))
        expect_field(VMCS_ENCLS_EXIT_BITMAP, ~UINT64_C(0), "guests have no SGX: every ENCLS exits");
    if (vmx_has(VMX_SECONDARY, SECONDARY_ENCLV_EXIT))
        expect_field(VMCS_ENCLV_EXIT_BITMAP, ~UINT64_C(0), "guests have no SGX: every ENCLV exits");
}

static void check(const struct cpu_kind *kind)
{
    char text[300];
    struct vcpu_state start;
    in_operation(kind);
    load(kind->name);
    vcpu_state_pvh(&start, 0x100000);
    vmx_backend.write_state(&vcpu, &start); /* the VM-entry controls are with the guest's mode */
    expect(!vmx_controls_fault(&vmx_core.vmcs, text, sizeof text), "%s (%s)", text, kind->name);
    expect_words();
    expect_field(VMCS_EXCEPTION_BITMAP,
                 BIT(VECTOR_DEBUG) | BIT(VECTOR_ALIGNMENT_CHECK) | BIT(VECTOR_MACHINE_CHECK),
                 "#DB, #AC and #MC exit, and nothing else (EXCEPTION_BITMAP, SDM 3C 25.6.3)");
    expect_field(VMCS_PAGE_FAULT_MASK, 0, "with the match it decides which #PF exit: none");
    expect_field(VMCS_PAGE_FAULT_MATCH, 0, "with the mask it decides which #PF exit: none");
    expect_field(VMCS_CR3_TARGET_COUNT, 0, "there are no CR3-target values");
    expect_field(VMCS_EXIT_MSR_STORE_COUNT, 0, "no list of MSRs is stored (SDM 3C 25.7.2)");
    expect_field(VMCS_EXIT_MSR_LOAD_COUNT, 0, "no list of MSRs is loaded (SDM 3C 25.7.2)");
    expect_field(VMCS_ENTRY_MSR_LOAD_COUNT, 0, "no list of MSRs is loaded (SDM 3C 25.8.2)");
    expect_addresses();
    expect_field(VMCS_CR0_MASK, vmx_cr0_mask(),
                 "bits of CR0 that are not the guest's own: vmx_cr0_mask() (SDM 3C 25.6.6)");
    expect_field(VMCS_CR4_MASK, vmx_cr4_mask(),
                 "bits of CR4 that are not the guest's own: vmx_cr4_mask() (SDM 3C 25.6.6)");
    expect_optional();
}

void lab_check(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        check(&kinds[i]);
}
