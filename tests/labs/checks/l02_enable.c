/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/setup/vmx.c hypervisor/setup/vmx_controls.c
// SOURCES: hypervisor/setup/vmx_errata.c hypervisor/vcpu/vmx/vcpu.c hypervisor/vcpu/vmx/vmcs.c
// SOURCES: hypervisor/vcpu/vmx/state.c hypervisor/vcpu/vmx/exit.c hypervisor/vcpu/vmx/dump.c
// SOURCES: hypervisor/vcpu/vmx/shared.c hypervisor/vcpu/selected.c hypervisor/vcpu/state.c
// SOURCES: hypervisor/memory/formats.c hypervisor/memory/format_ept.c hypervisor/base/format.c
// SOURCES: hypervisor/x86/descriptors.c hypervisor/base/status.c tests/unit/model/vmx_core.c
// SOURCES: tests/unit/model/vmx_core_trap.c tests/tools/vmx_rules.c tests/tools/vmx_view.c
// SOURCES: tests/tools/vmx_check.c tests/tools/vmcs_names.c
/* L2, step 1: VMX is switched on for a core. */
#include "tests/labs/checks/vmx_bench.h"

/* Bits that VMX does not fix are the hypervisor's own: paging, write protection, machine checks. */
static void expect_kept(const char *when, const char *name, uint64_t before, uint64_t after,
                        uint64_t fixed1)
{
    uint64_t lost = before & fixed1 & ~after;
    expect(lost == 0,
           "%s: %s is %#llx and was %#llx: the bits %#llx are lost; what VMX does not fix stays as "
           "it was (SDM 3C 24.8)",
           when, name, (unsigned long long)after, (unsigned long long)before,
           (unsigned long long)lost);
}

static void enable(const char *when)
{
    const uint64_t cr0 = vmx_core.cr0, cr4 = vmx_core.cr4;
    asking("enable_core(), %s", when);
    host_log_clear();
    enum status status = vmx_setup.enable_core();
    expect_lawful(when);
    expect(status == STATUS_OK, "%s: enable_core() returns %s: %s", when, status_name(status),
           last_refusal());
    expect(vmx_core.vmxon != 0,
           "%s: enable_core() returns STATUS_OK, and the core is not in VMX operation: VMXON was "
           "never executed",
           when);
    expect_kept(when, "CR0", cr0, vmx_core.cr0, vmx_capabilities.cr0_fixed1);
    expect_kept(when, "CR4", cr4, vmx_core.cr4, vmx_capabilities.cr4_fixed1);
    expect(vmx_core.invept_all != 0,
           "%s: INVEPT of all contexts is missing: translations that an earlier owner of the core "
           "left behind would be used for guests (SDM 3C 29.4.3)",
           when);
    bool has_vpid = (vmx_capabilities.ept_vpid & VMX_VPID_INVVPID_ALL) != 0;
    expect(!has_vpid || vmx_core.invvpid_all != 0,
           "%s: INVVPID of all contexts is missing, and this CPU has it (SDM 3C 29.4.3)", when);
    expect(has_vpid || vmx_core.invvpid_all == 0,
           "%s: INVVPID was executed, and this CPU does not have it (VMX_VPID_INVVPID_ALL)", when);
}

static void refused(enum status wanted, const char *when, const char *why)
{
    asking("enable_core(), %s", when);
    host_log_clear();
    size_t before = pages_in_use();
    enum status status = vmx_setup.enable_core();
    expect_lawful(when);
    expect(status == wanted, "%s: enable_core() returns %s instead of %s; %s", when,
           status_name(status), status_name(wanted), why);
    expect(pages_in_use() == before, "%s: the VMXON region is not freed", when);
}

/* VMXON's own refusal: everything is as before. */
static void taken_back(void)
{
    const char *when = "a CPU that refuses VMXON";
    core_of(&kinds[0]);
    vmx_core.refuse_vmxon = true;
    refused(STATUS_DEVICE, when, "what VMXON says is the result");
    expect((vmx_core.cr4 & CR4_VMXE) == 0,
           "%s: CR4.VMXE stays set: outside VMX operation it has no business there", when);
}

void lab_check(void)
{
    core_of(&kinds[0]);
    enable("a core on which firmware has locked VMX on");
    core_of(&kinds[1]);
    enable("a core without VPID");
    core_of(&kinds[0]);
    vmx_core.feature_control = 0;
    enable("a core on which firmware has forgotten IA32_FEATURE_CONTROL");
    expect(vmx_core.feature_control == (FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_NO_SMX),
           "IA32_FEATURE_CONTROL is %#llx and not locked with VMX on",
           (unsigned long long)vmx_core.feature_control);

    core_of(&kinds[0]);
    vmx_core.cr4 |= BIT(23); /* CET, which this CPU does not have in VMX operation */
    enable("a core with CR4 bit 23 set, which IA32_VMX_CR4_FIXED1 does not allow");

    core_of(&kinds[0]);
    vmx_core.feature_control = FEATURE_CONTROL_LOCK;
    refused(STATUS_DENIED, "firmware has locked VMX off", "unlock_vmx() says so");
    expect(vmx_core.vmxon == 0, "VMXON was tried although firmware has locked VMX off");
    core_of(&kinds[0]);
    host_pages_limit(0);
    refused(STATUS_NO_MEMORY, "no page is left for the VMXON region", "pages_allocate() gave NULL");
    host_pages_limit(SIZE_MAX);
    taken_back();
}
