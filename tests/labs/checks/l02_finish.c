/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/setup/vmx.c hypervisor/setup/vmx_controls.c
// SOURCES: hypervisor/setup/vmx_errata.c hypervisor/vcpu/vmx/vcpu.c hypervisor/vcpu/vmx/vmcs.c
// SOURCES: hypervisor/vcpu/vmx/state.c hypervisor/vcpu/vmx/exit.c hypervisor/vcpu/vmx/dump.c
// SOURCES: hypervisor/vcpu/vmx/shared.c hypervisor/vcpu/selected.c hypervisor/vcpu/state.c
// SOURCES: hypervisor/memory/formats.c hypervisor/memory/format_ept.c hypervisor/base/format.c
// SOURCES: hypervisor/x86/descriptors.c hypervisor/base/status.c tests/unit/model/vmx_core.c
// SOURCES: tests/unit/model/vmx_core_trap.c tests/tools/vmx_rules.c tests/tools/vmx_view.c
// SOURCES: tests/tools/vmx_check.c tests/tools/vmcs_names.c
/* L2, step 6: past an instruction that was emulated. */
#include "tests/labs/checks/vmx_bench.h"

static uint64_t at;

static void guest(uint64_t rflags, uint64_t blocking)
{
    in_operation(&kinds[0]);
    load("before an exit");
    at = 0x100000u + seeded("rip", 1, 4000, 0x234);
    vmcs_write(VMCS_GUEST_RIP, at);
    vmcs_write(VMCS_GUEST_RFLAGS, rflags);
    vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, blocking);
    vmcs_write(VMCS_GUEST_PENDING_DEBUG, 0);
}

static void exit_fields(uint32_t reason, uint64_t length)
{
    vmx_core.vmcs.value[VMCS_EXIT_REASON] = reason;
    vmx_core.vmcs.value[VMCS_EXIT_INSTRUCTION_LENGTH] = length;
    vmx_core.vmcs.known[VMCS_EXIT_REASON] = vmx_core.vmcs.known[VMCS_EXIT_INSTRUCTION_LENGTH] =
        true;
}

static void cpuid_exit(uint64_t length)
{
    exit_fields(REASON_CPUID, length);
    handled = OUTCOME_ADVANCE;
    asking("vmx_exited() after a CPUID exit");
    enum outcome outcome = vmx_exited(&vcpu);
    expect_lawful("after a CPUID exit");
    expect(outcome == OUTCOME_RESUME, "the guest does not go on after its CPUID");
}

static void expect_rip(uint64_t wanted, const char *what)
{
    uint64_t got = field(VMCS_GUEST_RIP);
    expect(got != at,
           "%s: RIP is still %#llx, that of the instruction: the guest executes it again, exits "
           "again, and so on without end",
           what, (unsigned long long)at);
    expect(got == wanted, "%s: RIP is %#llx instead of %#llx, the next instruction's", what,
           (unsigned long long)got, (unsigned long long)wanted);
}

static void advances(void)
{
    static const uint64_t lengths[] = {2, 3, 15};
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        guest(RFLAGS_FIXED, 0);
        cpuid_exit(lengths[i]);
        expect_rip(at + lengths[i], "after an instruction of several bytes");
        expect(field(VMCS_GUEST_RFLAGS) == RFLAGS_FIXED && field(VMCS_GUEST_PENDING_DEBUG) == 0,
               "RFLAGS or the pending debug exceptions change although neither TF nor RF is set");
    }
    guest(RFLAGS_FIXED, 0);
    exit_fields(REASON_EPT_VIOLATION, 9); /* undefined for this exit */
    asking("vmx_set_rip()");
    vmx_set_rip(&vcpu, at + 4);
    expect_rip(at + 4, "after vmx_set_rip(), which is told where to go on");
}

static void ends_shadows(void)
{
    static const struct {
        uint64_t blocking;
        const char *name;
    } shadows[] = {{INTERRUPTIBILITY_STI, "STI"}, {INTERRUPTIBILITY_MOV_SS, "MOV SS"}};
    for (size_t i = 0; i < ARRAY_SIZE(shadows); i++) {
        guest(RFLAGS_FIXED | RFLAGS_IF, shadows[i].blocking | INTERRUPTIBILITY_NMI);
        cpuid_exit(2);
        uint64_t left = field(VMCS_GUEST_INTERRUPTIBILITY);
        expect((left & shadows[i].blocking) == 0,
               "guest interruptibility state still blocks by %s: the shadow lasts for one "
               "instruction, and that has been executed (SDM 3C 25.4.2)",
               shadows[i].name);
        expect(left == INTERRUPTIBILITY_NMI,
               "guest interruptibility state is %#llx: blocking by NMI (bit 3) lasts until IRET, "
               "whatever the instruction was",
               (unsigned long long)left);
    }
}

static void finishes_flags(void)
{
    guest(RFLAGS_FIXED | RFLAGS_RF, 0);
    cpuid_exit(2);
    expect((field(VMCS_GUEST_RFLAGS) & RFLAGS_RF) == 0,
           "RFLAGS.RF is still set: the next instruction would miss its breakpoint "
           "(finish_flags(), SDM 3C 28.3.3)");
    guest(RFLAGS_FIXED | RFLAGS_TF, 0);
    cpuid_exit(2);
    expect((field(VMCS_GUEST_PENDING_DEBUG) & PENDING_DEBUG_STEP) != 0,
           "RFLAGS.TF is set and no single step is pending: the guest's debugger steps over two "
           "instructions at once (finish_flags(), SDM 3C 25.4.2)");
    expect((field(VMCS_GUEST_RFLAGS) & RFLAGS_TF) != 0, "RFLAGS.TF is the guest's and stays");
}

void lab_check(void)
{
    advances();
    ends_shadows();
    finishes_flags();
}
