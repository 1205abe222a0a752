/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/setup/vmx.c hypervisor/setup/vmx_controls.c
// SOURCES: hypervisor/setup/vmx_errata.c hypervisor/vcpu/vmx/vcpu.c hypervisor/vcpu/vmx/vmcs.c
// SOURCES: hypervisor/vcpu/vmx/state.c hypervisor/vcpu/vmx/exit.c hypervisor/vcpu/vmx/dump.c
// SOURCES: hypervisor/vcpu/vmx/shared.c hypervisor/vcpu/selected.c hypervisor/vcpu/state.c
// SOURCES: hypervisor/memory/formats.c hypervisor/memory/format_ept.c hypervisor/base/format.c
// SOURCES: hypervisor/x86/descriptors.c hypervisor/base/status.c tests/unit/model/vmx_core.c
// SOURCES: tests/unit/model/vmx_core_trap.c tests/tools/vmx_rules.c tests/tools/vmx_view.c
// SOURCES: tests/tools/vmx_check.c tests/tools/vmcs_names.c
/* L2, step 4: where exits arrive, and with what. */
#include "tests/labs/checks/vmx_bench.h"

#define LOADED "an exit loads it (SDM 3C 28.5.1)"

static void expect_registers(void)
{
    expect_field(VMCS_HOST_CR0, vmx_core.cr0, "the core's own CR0: " LOADED);
    expect_field(VMCS_HOST_CR3, vmx_core.cr3, "the core's own CR3: " LOADED);
    expect_field(VMCS_HOST_CR4, vmx_core.cr4, "the core's own CR4: " LOADED);
    expect_field(VMCS_HOST_PAT, vmx_core.pat,
                 "IA32_PAT of the hypervisor, not of a reset CPU: " LOADED);
    expect_field(VMCS_HOST_EFER, vmx_core.efer, "the core's own IA32_EFER: " LOADED);
    expect_field(VMCS_HOST_SYSENTER_CS, 0, "the hypervisor has no SYSENTER");
    expect_field(VMCS_HOST_SYSENTER_ESP, 0, "the hypervisor has no SYSENTER");
    expect_field(VMCS_HOST_SYSENTER_EIP, 0, "the hypervisor has no SYSENTER");
}

static void expect_segments(void)
{
    uintptr_t own = (uintptr_t)core_tables[core.index];
    expect_field(VMCS_HOST_CS_SELECTOR, SELECTOR_CODE, "exits load CS with it (SDM 3C 28.5.2)");
    expect_field(VMCS_HOST_SS_SELECTOR, SELECTOR_DATA, "exits load SS with it (SDM 3C 28.5.2)");
    expect_field(VMCS_HOST_DS_SELECTOR, SELECTOR_DATA, "exits load DS with it (SDM 3C 28.5.2)");
    expect_field(VMCS_HOST_ES_SELECTOR, SELECTOR_DATA, "exits load ES with it (SDM 3C 28.5.2)");
    expect_field(VMCS_HOST_FS_SELECTOR, 0, "FS has a base and no selector in the hypervisor");
    expect_field(VMCS_HOST_GS_SELECTOR, 0, "GS has a base and no selector in the hypervisor");
    expect_field(VMCS_HOST_TR_SELECTOR, SELECTOR_TSS, "exits load TR with it (SDM 3C 28.5.2)");
    expect_field(VMCS_HOST_FS_BASE, vmx_core.fs_base, "IA32_FS_BASE of the core");
    expect_field(VMCS_HOST_GS_BASE, vmx_core.gs_base,
                 "IA32_GS_BASE of the core, by which it finds its struct cpu");
    expect_field(VMCS_HOST_TR_BASE, own + CORE_GDT_SIZE,
                 "the task state of this core lies behind its GDT in core_tables[]: NMIs find "
                 "their stack there");
    expect_field(VMCS_HOST_GDTR_BASE, own, "the GDT of this core, core_tables[index]");
    expect_field(VMCS_HOST_IDTR_BASE, (uintptr_t)idt, "all cores have one IDT");
}

static void check(const struct cpu_kind *kind, const struct vmx_way *way, const char *when)
{
    char text[300];
    in_operation(kind);
    vmx_way = way;
    load(when);
    if (vmx_host_state_fault(&vmx_core.vmcs, text, sizeof text) ||
        vmx_host_state_useless(&vmx_core.vmcs, text, sizeof text))
        is_wrong("%s", text);
    expect_registers();
    expect_segments();
    expect_field(VMCS_HOST_RIP, (uintptr_t)way->exit_point,
                 "exits arrive at vmx_way->exit_point, which is another on cores that are guarded");
}

void lab_check(void)
{
    check(&kinds[0], &vmx_plain, "the first load of a vCPU");
    check(&kinds[1], &vmx_guarded, "a core whose threads have several owners");
}
