/* SPDX-License-Identifier: MIT */
/* What of CPUID does not change: highest leaves, extended state, control registers. */
#include "hypervisor/setup/policy.h"

#include "hypervisor/abi/calls.h"
#include "hypervisor/base/string.h"
#include "hypervisor/x86/clock.h"
#include "hypervisor/vcpu/backend.h"

#define ECX_TSC_DEADLINE BIT(24)
#define ECX_XSAVE        BIT(26)
#define EDX_NX           BIT(20)
#define EDX_LONG_MODE    BIT(29)

#define XSAVE_LEGACY_SIZE 576 /* 512 bytes and the header */

static void init_xsave(cpuid_query *query)
{
    cpuid_machine.xcr0 = 0;
    cpuid_machine.xsave_size = XSAVE_LEGACY_SIZE;
    if (cpuid_machine.highest_basic < 0xd || (query(1, 0).ecx & ECX_XSAVE) == 0)
        return;
    cpuid_machine.xcr0 = query(0xd, 0).eax & XCR0_POLICY;
    if ((cpuid_machine.xcr0 & XCR0_AVX) == 0 || (cpuid_machine.xcr0 & XCR0_AVX512) != XCR0_AVX512)
        cpuid_machine.xcr0 &= ~XCR0_AVX512;
    for (uint32_t component = 2; component < 32; component++) {
        if ((cpuid_machine.xcr0 & BIT(component)) == 0)
            continue;
        struct cpuid_result area = query(0xd, component);
        cpuid_machine.xsave_size = MAX(cpuid_machine.xsave_size, area.eax + area.ebx);
    }
}

/* Rows: a bit of CR4 and the CPUID bit that permits it. */
static void init_cr4(cpuid_query *query)
{
    struct cpuid_result one = query(1, 0), seven = {0};
    if (cpuid_machine.highest_basic >= 7)
        seven = query(7, 0);
    const struct {
        unsigned bit;
        bool present;
    } conditional[] = {
        {11, (seven.ecx & BIT(2)) != 0},  /* UMIP */
        {16, (seven.ebx & BIT(0)) != 0},  /* FSGSBASE */
        {17, (one.ecx & BIT(17)) != 0},   /* PCIDE */
        {18, cpuid_machine.xcr0 != 0},    /* OSXSAVE */
        {20, (seven.ebx & BIT(7)) != 0},  /* SMEP */
        {21, (seven.ebx & BIT(20)) != 0}, /* SMAP */
    };
    cpuid_machine.cr4 = BITS(10, 0); /* VME .. OSXMMEXCPT: every CPU with VMX or SVM has them */
    for (size_t i = 0; i < ARRAY_SIZE(conditional); i++)
        if (conditional[i].present)
            cpuid_machine.cr4 |= BIT(conditional[i].bit);
}

void cpuid_policy_init(cpuid_query *query)
{
    struct cpuid_result vendor = query(0, 0);
    cpuid_machine.highest_basic = vendor.eax;
    cpuid_machine.last_row = MIN(vendor.eax, (uint32_t)CPUID_HIGHEST_BASIC);
    cpuid_machine.highest_extended = query(0x80000000, 0).eax;
    init_xsave(query);
    init_cr4(query);
    uint32_t features = query(0x80000001, 0).edx;
    cpuid_machine.efer = EFER_SCE | EFER_LMA;
    if ((features & EDX_LONG_MODE) != 0)
        cpuid_machine.efer |= EFER_LME;
    if ((features & EDX_NX) != 0)
        cpuid_machine.efer |= EFER_NXE;
    cpuid_machine.abi = (struct cpuid_result){.eax = ABI_VERSION,
                                              .ebx = (uint32_t)clock_tsc_khz(),
                                              .ecx = vcpu_backend()->call_instruction};
    bool intel = memcmp(&vendor.ebx, "Genu", 4) == 0;
    cpuid_machine.synthetic_frequency = intel && (query(1, 0).ecx & ECX_TSC_DEADLINE) != 0;
}
