/* SPDX-License-Identifier: MIT */
/* What of CPUID does not change: answers, highest leaves, extended state, control registers. */
#include "hypervisor/setup/policy.h"

#include "hypervisor/abi/calls.h"
#include "hypervisor/base/string.h"
#include "hypervisor/x86/clock.h"
#include "hypervisor/vcpu/backend.h"

#define ECX_TSC_DEADLINE BIT(24)
#define ECX_XSAVE        BIT(26)
#define EDX_NX           BIT(20)
#define EDX_LONG_MODE    BIT(29)

/* Not: MPX, PT, PKRU, CET, AMX. */
#define XCR0_POLICY (XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512)

#define XSAVE_LEGACY_SIZE 576 /* 512 bytes and the header */

#define LEAF_POWER      0x06
#define LEAF_6_EAX_ARAT BIT(2)
#define LEAF_FREQUENCY  0x15
#define LEAF_EXTENDED   0x80000000

/* Four characters of a signature, as a register shows them. */
#define SIGNATURE_WORD(text, at)                                                                   \
    ((uint32_t)(text)[at] | (uint32_t)(text)[(at) + 1] << 8 | (uint32_t)(text)[(at) + 2] << 16 |   \
     (uint32_t)(text)[(at) + 3] << 24)
#define SIGNATURE(highest, text)                                                                   \
    ((struct cpuid_result){.eax = (highest),                                                       \
                           .ebx = SIGNATURE_WORD(text, 0),                                         \
                           .ecx = SIGNATURE_WORD(text, 4),                                         \
                           .edx = SIGNATURE_WORD(text, 8)})

static uint32_t highest_basic;

static void init_xsave(cpuid_query *query)
{
    cpuid_machine.xcr0 = 0;
    cpuid_machine.xsave_size = XSAVE_LEGACY_SIZE;
    if (highest_basic < 0xd || (query(1, 0).ecx & ECX_XSAVE) == 0)
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
    if (highest_basic >= 7)
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

static void answer(uint32_t leaf, struct cpuid_result result)
{
    cpuid_machine.fixed[cpuid_machine.fixed_count].leaf = leaf;
    cpuid_machine.fixed[cpuid_machine.fixed_count++].answer = result;
}

static void init_answers(cpuid_query *query)
{
    struct cpuid_result vendor = query(0, 0), extended = query(LEAF_EXTENDED, 0);
    bool intel = memcmp(&vendor.ebx, "Genu", 4) == 0;
    /* TSC rate as a ratio to a crystal of 10 kHz. Only where the APIC timer counts TSC ticks: Linux
     * takes the crystal for the timer's clock as well. */
    bool frequency = intel && (query(1, 0).ecx & ECX_TSC_DEADLINE) != 0;
    uint32_t khz = (uint32_t)clock_tsc_khz();
    cpuid_machine.fixed_count = 0;
    /* The one that programs may ask for often comes first. */
    answer(ABI_CPUID_FEATURES, (struct cpuid_result){.eax = ABI_VERSION,
                                                     .ebx = khz,
                                                     .ecx = vcpu_backend()->call_instruction});
    vendor.eax = cpuid_machine.last_row;
    if (frequency) {
        vendor.eax = MAX(vendor.eax, (uint32_t)LEAF_FREQUENCY);
        answer(LEAF_FREQUENCY, (struct cpuid_result){.eax = 10, .ebx = khz, .ecx = 10000});
    }
    answer(0, vendor);
    /* The APIC timer does not stop in HLT, and a guest has no deeper sleep. */
    if (cpuid_machine.last_row >= LEAF_POWER)
        answer(LEAF_POWER, (struct cpuid_result){.eax = LEAF_6_EAX_ARAT});
    extended.eax = MIN(extended.eax, CPUID_HIGHEST_EXTENDED);
    if (extended.eax >= LEAF_EXTENDED)
        answer(LEAF_EXTENDED, extended);
    answer(ABI_CPUID_SIGNATURE, SIGNATURE(ABI_CPUID_FEATURES, ABI_SIGNATURE));
    answer(ABI_CPUID_KVM, SIGNATURE(ABI_CPUID_KVM_FEATURES, ABI_KVM_SIGNATURE));
    answer(ABI_CPUID_KVM_FEATURES,
           (struct cpuid_result){.eax = ABI_KVM_NO_IO_DELAY | ABI_KVM_MSI_WIDE});
}

void cpuid_policy_init(cpuid_query *query)
{
    highest_basic = query(0, 0).eax;
    cpuid_machine.last_row = MIN(highest_basic, (uint32_t)CPUID_HIGHEST_BASIC);
    cpuid_machine.highest_extended = query(0x80000000, 0).eax;
    init_xsave(query);
    init_cr4(query);
    uint32_t features = query(0x80000001, 0).edx;
    cpuid_machine.efer = EFER_SCE | EFER_LMA;
    if ((features & EDX_LONG_MODE) != 0)
        cpuid_machine.efer |= EFER_LME;
    if ((features & EDX_NX) != 0)
        cpuid_machine.efer |= EFER_NXE;
    init_answers(query);
}
