/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/setup/vmx.c hypervisor/setup/vmx_controls.c
// SOURCES: hypervisor/setup/vmx_errata.c hypervisor/vcpu/vmx/vcpu.c hypervisor/vcpu/vmx/vmcs.c
// SOURCES: hypervisor/vcpu/vmx/state.c hypervisor/vcpu/vmx/exit.c hypervisor/vcpu/vmx/dump.c
// SOURCES: hypervisor/vcpu/vmx/shared.c hypervisor/vcpu/selected.c hypervisor/vcpu/state.c
// SOURCES: hypervisor/memory/formats.c hypervisor/memory/format_ept.c hypervisor/base/format.c
// SOURCES: hypervisor/x86/descriptors.c hypervisor/base/status.c tests/unit/model/vmx_core.c
// SOURCES: tests/unit/model/vmx_core_trap.c tests/tools/vmx_rules.c tests/tools/vmx_view.c
// SOURCES: tests/tools/vmx_check.c tests/tools/vmcs_names.c
/* L2, step 5: a guest state that nobody has used yet, and one that is used again. */
#include "tests/labs/checks/vmx_bench.h"

static void dirty(uint32_t which, uint64_t value)
{
    vmx_core.vmcs.value[which] = value;
    vmx_core.vmcs.known[which] = true;
}

/* As an INIT finds a vCPU that was halted in the shadow of STI, stepping, with an event under way;
 * and as a guest has left its MSRs. */
static void used(void)
{
    dirty(VMCS_GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_STI | INTERRUPTIBILITY_NMI);
    dirty(VMCS_GUEST_ACTIVITY, ACTIVITY_HLT);
    dirty(VMCS_GUEST_PENDING_DEBUG, PENDING_DEBUG_STEP);
    dirty(VMCS_ENTRY_INTERRUPTION, INTERRUPTION_VALID | FIRST_INTERRUPT_VECTOR);
    dirty(VMCS_GUEST_DEBUGCTL, 1);
    dirty(VMCS_GUEST_PAT, UINT64_C(0x0606060606060606));
    dirty(VMCS_GUEST_SYSENTER_CS, 0x10);
    dirty(VMCS_GUEST_SYSENTER_ESP, 0x5000);
    dirty(VMCS_GUEST_SYSENTER_EIP, 0x6000);
    dirty(VMCS_LINK_POINTER, 0);
}

static void expect_reset_state(const char *when)
{
    static const struct {
        uint32_t field;
        uint64_t value;
        const char *why;
    } wanted[] = {
        {VMCS_LINK_POINTER, ~UINT64_C(0),
         "there is no other VMCS, and SDM 3C 27.3.1.5 wants all ones then"},
        {VMCS_GUEST_ACTIVITY, ACTIVITY_ACTIVE,
         "a vCPU that was halted would go on waiting when it is started again (SDM 3C 25.4.2)"},
        {VMCS_GUEST_INTERRUPTIBILITY, 0,
         "a reset CPU blocks neither interrupts nor NMIs (SDM 3C 25.4.2)"},
        {VMCS_GUEST_PENDING_DEBUG, 0, "a single step of before would be taken now"},
        {VMCS_ENTRY_INTERRUPTION, 0,
         "an event that waited before the restart would be delivered now (SDM 3C 27.6)"},
        {VMCS_GUEST_DEBUGCTL, 0, "IA32_DEBUGCTL is 0 after a reset (SDM 3A table 10-1)"},
        {VMCS_GUEST_PAT, PAT_RESET, "IA32_PAT after a reset is PAT_RESET (SDM 3A 12.12.4)"},
        {VMCS_GUEST_SYSENTER_CS, 0, "IA32_SYSENTER_CS is 0 after a reset"},
        {VMCS_GUEST_SYSENTER_ESP, 0, "IA32_SYSENTER_ESP is 0 after a reset"},
        {VMCS_GUEST_SYSENTER_EIP, 0, "IA32_SYSENTER_EIP is 0 after a reset"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        const char *name = vmcs_field_name(wanted[i].field);
        bool plural = vmcs_name_is_plural(name);
        expect(vmx_core.vmcs.known[wanted[i].field], "%s: %s %s never written; %s", when, name,
               plural ? "were" : "was", wanted[i].why);
        expect(field(wanted[i].field) == wanted[i].value, "%s: %s %s %#llx instead of %#llx; %s",
               when, name, plural ? "are" : "is", (unsigned long long)field(wanted[i].field),
               (unsigned long long)wanted[i].value, wanted[i].why);
    }
}

/* What the CPU says to all of it, when the rest of the state is there as well. */
static void expect_entry(const struct vcpu_state *start, const char *when)
{
    char text[300];
    vmx_backend.write_state(&vcpu, start);
    expect_lawful(when);
    expect(!vmx_core_entry_fails(text, sizeof text), "%s: VM entry fails: %s", when, text);
}

void lab_check(void)
{
    struct vcpu_state pvh, sipi;
    vcpu_state_pvh(&pvh, 0x100000);
    vcpu_state_sipi(&sipi, 0x9f);
    in_operation(&kinds[0]);
    load("the first load of a vCPU");
    expect_reset_state("the first load of a vCPU");
    expect_entry(&pvh, "the first entry");
    used();
    load("a restart");
    expect_reset_state("a restart");
    expect_entry(&sipi, "a restart");
}
