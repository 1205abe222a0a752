/* SPDX-License-Identifier: MIT */
/* SDM 3B 16.8 (initialisation), 16.3.1.5 (LMCE), 5.2.12 of SDM 4 (feature control). */
#include "hypervisor/base/log.h"
#include "hypervisor/setup/cpu.h"
#include "hypervisor/setup/machine_check_registers.h"
#include "hypervisor/setup/vmx_registers.h"
#include "hypervisor/x86/machine_check_internal.h"
#include "hypervisor/x86/machine_check_registers.h"
#include "hypervisor/x86/registers.h"

#define CPUID_1_EDX_MCE      BIT(7)
#define CPUID_1_EDX_MCA      BIT(14)
#define FEATURE_CONTROL_LOCK BIT(0)

/* Without it each machine check reaches all cores (Intel). If firmware left the register unlocked,
 * it can still be set here, before VMX needs it locked. */
static bool enable_local(uint64_t capabilities)
{
    uint64_t control;
    if ((capabilities & MCG_CAP_LOCAL) == 0 || !msr_read_safe(MSR_FEATURE_CONTROL, &control))
        return false;
    if ((control & (FEATURE_CONTROL_LOCK | FEATURE_CONTROL_LOCAL)) == 0 &&
        msr_write_safe(MSR_FEATURE_CONTROL, control | FEATURE_CONTROL_LOCAL))
        control |= FEATURE_CONTROL_LOCAL;
    return (control & FEATURE_CONTROL_LOCAL) != 0 &&
           msr_write_safe(MSR_MCG_EXT_CTL, MCG_EXT_CTL_LOCAL);
}

void machine_check_enable(void)
{
    const uint32_t needed = CPUID_1_EDX_MCE | CPUID_1_EDX_MCA;
    uint64_t capabilities;
    if ((cpuid(1, 0).edx & needed) != needed || !msr_read_safe(MSR_MCG_CAP, &capabilities))
        return;
    unsigned banks = MIN(MCG_CAP_BANKS(capabilities), MACHINE_CHECK_BANKS);
    struct machine_check_support *support = machine_check_support();
    support->banks = banks;
    support->recovery = (capabilities & MCG_CAP_RECOVERY) != 0;
    (void)machine_check_scan(MACHINE_CHECK_BEFORE_BOOT, 0);
    if ((capabilities & MCG_CAP_CTL) != 0)
        (void)!msr_write_safe(MSR_MCG_CTL, ~UINT64_C(0));
    for (unsigned bank = 0; bank < banks; bank++)
        (void)!msr_write_safe(MSR_MC_CTL(bank), ~UINT64_C(0));
    support->local = enable_local(capabilities);
    (void)!msr_write_safe(MSR_MCG_STATUS, 0);
}

void machine_check_log_support(void)
{
    const struct machine_check_support *support = machine_check_support();
    log_event("cpu.machine_checks", "banks=%u recovery=%s local=%s message=\"%s\"", support->banks,
              support->recovery ? "yes" : "no", support->local ? "yes" : "no",
              support->banks == 0
                  ? "no machine-check architecture; hardware errors cannot be explained"
                  : "logged as cpu.machine_check; the guest it hits is stopped");
}
