/* SPDX-License-Identifier: MIT */
#include "hypervisor/vcpu/policy/cpuid.h"

#include "hypervisor/vcpu/backend.h"

#define ALL 0xffffffffu

/* Leaf 1 */
#define ECX_OSXSAVE    BIT(27)
#define ECX_HYPERVISOR BIT(31)
/* SSE3 PCLMULQDQ SSSE3 FMA CX16 PCID SSE4.1 SSE4.2 x2APIC MOVBE POPCNT deadline AES XSAVE AVX F16C
 * RDRAND. Not: DTES64 MONITOR DS-CPL VMX SMX EIST TM2 CNXT-ID SDBG xTPR PDCM DCA. */
#define LEAF_1_ECX                                                                                 \
    (BIT(0) | BIT(1) | BIT(9) | BIT(12) | BIT(13) | BIT(17) | BIT(19) | BIT(20) | BIT(21) |        \
     BIT(22) | BIT(23) | BIT(24) | BIT(25) | BIT(26) | BIT(28) | BIT(29) | BIT(30))
/* FPU VME DE PSE TSC MSR PAE CX8 APIC SEP MTRR PGE CMOV PAT PSE-36 CLFSH MMX FXSR SSE SSE2 SS HTT.
 * Not: MCE MCA (machine checks are the hypervisor's) PSN DS ACPI TM PBE. */
#define LEAF_1_EDX                                                                                 \
    (BITS(6, 0) | BIT(8) | BIT(9) | BIT(11) | BIT(12) | BIT(13) | BIT(15) | BIT(16) | BIT(17) |    \
     BIT(19) | BIT(23) | BIT(24) | BIT(25) | BIT(26) | BIT(27) | BIT(28))
/* FSGSBASE BMI1 AVX2 FDP-only SMEP BMI2 ERMS INVPCID no-FCS AVX512F/DQ RDSEED ADX SMAP IFMA
 * CLFLUSHOPT CLWB AVX512CD SHA AVX512BW/VL. Not: TSC_ADJUST SGX HLE PQM MPX PQE RTM PT. */
#define LEAF_7_EBX                                                                                 \
    (BIT(0) | BIT(3) | BITS(10, 5) | BIT(13) | BITS(21, 16) | BIT(23) | BIT(24) | BITS(31, 28))
/* AVX512_VBMI UMIP VBMI2 GFNI VAES VPCLMULQDQ VNNI BITALG VPOPCNTDQ RDPID. Not: PKU WAITPKG CET
 * LA57 TME KL bus-lock CLDEMOTE MOVDIR ENQCMD SGX_LC PKS. */
#define LEAF_7_ECX (BIT(1) | BIT(2) | BIT(6) | BITS(12, 8) | BIT(14) | BIT(22))
/* FSRM MD_CLEAR SERIALIZE. Not: speculation MSRs, hybrid, PCONFIG, LBR, AMX, ARCH_CAPABILITIES. */
#define LEAF_7_EDX (BIT(4) | BIT(10) | BIT(14))
/* XSAVEOPT XSAVEC XGETBV1. Not: XSAVES (IA32_XSS) XFD. */
#define LEAF_D1_EAX BITS(2, 0)
/* LAHF CMP_LEGACY ABM SSE4A MISALIGNSSE 3DNOWPREFETCH XOP FMA4 TBM TOPOEXT.
 * Not: SVM EXTAPIC CR8D OSVW IBS SKINIT WDT LWP PERFCTR MWAITX. */
#define EXTENDED_1_ECX (BIT(0) | BIT(1) | BITS(8, 5) | BIT(11) | BIT(16) | BIT(21) | BIT(22))
#define EXTENDED_1_EDX                                                                             \
    (BITS(6, 0) | BIT(8) | BIT(9) | BIT(11) | BIT(12) | BIT(13) | BIT(15) | BIT(16) | BIT(17) |    \
     BIT(20) | BITS(24, 22) | BIT(26) | BIT(27) | BITS(31, 29))
#define EXTENDED_7_EDX BIT(8) /* invariant TSC */
/* CLZERO, XSAVE always saves error pointers. */
#define EXTENDED_8_EBX (BIT(0) | BIT(2))

#define LEAF_FEATURES 1

struct cpuid_machine cpuid_machine;

/* Works on the masked answer, in the guest's registers. */
typedef void adjust_function(struct vcpu *vcpu, uint32_t subleaf);

struct row {
    struct cpuid_result mask;
    adjust_function *adjust;
    bool fixed; /* boot may have written the answer down */
};

static void set_answer(struct vcpu *vcpu, struct cpuid_result answer)
{
    vcpu->registers[GUEST_RAX] = answer.eax;
    vcpu->registers[GUEST_RBX] = answer.ebx;
    vcpu->registers[GUEST_RCX] = answer.ecx;
    vcpu->registers[GUEST_RDX] = answer.edx;
}

static void adjust_features(struct vcpu *vcpu, uint32_t subleaf)
{
    (void)subleaf;
    vcpu->registers[GUEST_RCX] |= ECX_HYPERVISOR;
    if (vcpu_backend()->osxsave(vcpu))
        vcpu->registers[GUEST_RCX] |= ECX_OSXSAVE;
}

static void adjust_structured(struct vcpu *vcpu, uint32_t subleaf)
{
    if (subleaf != 0)
        set_answer(vcpu, (struct cpuid_result){0});
}

static void adjust_xsave(struct vcpu *vcpu, uint32_t subleaf)
{
    if (cpuid_machine.xcr0 != 0 && subleaf == 0) {
        vcpu->registers[GUEST_RAX] = cpuid_machine.xcr0;
        vcpu->registers[GUEST_RCX] = cpuid_machine.xsave_size;
        vcpu->registers[GUEST_RDX] = 0;
    } else if (cpuid_machine.xcr0 != 0 && subleaf == 1) {
        vcpu->registers[GUEST_RAX] &= LEAF_D1_EAX;
        vcpu->registers[GUEST_RCX] = 0;
        vcpu->registers[GUEST_RDX] = 0;
    } else if (subleaf >= 32 || (cpuid_machine.xcr0 & BIT(subleaf)) == 0) {
        set_answer(vcpu, (struct cpuid_result){0});
    }
}

// clang-format off
static const struct row basic[CPUID_HIGHEST_BASIC + 1] = {
    [0x00] = {.fixed = true},
    [LEAF_FEATURES] = {.mask = {ALL, ALL, LEAF_1_ECX, LEAF_1_EDX}, .adjust = adjust_features},
    [0x02] = {.mask = {ALL, ALL, ALL, ALL}},                     /* caches and TLBs */
    [0x04] = {.mask = {ALL, ALL, ALL, ALL}}, /* caches */
    [0x06] = {.fixed = true},
    [0x07] = {.mask = {0, LEAF_7_EBX, LEAF_7_ECX, LEAF_7_EDX},
              .adjust = adjust_structured},
    [0x0b] = {.mask = {ALL, ALL, ALL, ALL}}, /* topology, the core's own id */
    [0x0d] = {.mask = {ALL, ALL, ALL, ALL}, .adjust = adjust_xsave},
    [0x15] = {.fixed = true},
    [0x1f] = {.mask = {ALL, ALL, ALL, ALL}}, /* topology */
};

static const struct row extended[(CPUID_HIGHEST_EXTENDED & 0xff) + 1] = {
    [0x00] = {.fixed = true},
    [LEAF_FEATURES] = {.mask = {ALL, ALL, EXTENDED_1_ECX, EXTENDED_1_EDX}},
    [0x02] = {.mask = {ALL, ALL, ALL, ALL}}, /* brand */
    [0x03] = {.mask = {ALL, ALL, ALL, ALL}},
    [0x04] = {.mask = {ALL, ALL, ALL, ALL}},
    [0x05] = {.mask = {ALL, ALL, ALL, ALL}}, /* caches */
    [0x06] = {.mask = {ALL, ALL, ALL, ALL}},
    [0x07] = {.mask = {0, 0, 0, EXTENDED_7_EDX}},
    [0x08] = {.mask = {0xffff, EXTENDED_8_EBX, 0xffff, 0}}, /* address sizes, cores */
    [0x19] = {.mask = {ALL, ALL, 0, 0}},                    /* TLBs */
    [0x1a] = {.mask = {7, 0, 0, 0}},
    [0x1d] = {.mask = {ALL, ALL, ALL, ALL}}, /* caches */
    [0x1e] = {.mask = {ALL, ALL, ALL, 0}},                       /* topology */
};
// clang-format on

static const struct cpuid_result *fixed_answer(uint32_t leaf)
{
    for (unsigned i = 0; i < cpuid_machine.fixed_count; i++)
        if (cpuid_machine.fixed[i].leaf == leaf)
            return &cpuid_machine.fixed[i].answer;
    return NULL;
}

static const struct row *row_of(uint32_t leaf)
{
    if (leaf <= cpuid_machine.last_row)
        return &basic[leaf];
    uint32_t number = leaf - 0x80000000u;
    if (number < ARRAY_SIZE(extended) && leaf <= cpuid_machine.highest_extended)
        return &extended[number];
    return NULL;
}

enum outcome exit_cpuid(struct vcpu *vcpu)
{
    uint32_t leaf = (uint32_t)vcpu->registers[GUEST_RAX];
    uint32_t subleaf = (uint32_t)vcpu->registers[GUEST_RCX];
    const struct row *row = row_of(leaf);
    const struct cpuid_result *fixed = row == NULL || row->fixed ? fixed_answer(leaf) : NULL;
    if (fixed != NULL || row == NULL) {
        set_answer(vcpu, fixed != NULL ? *fixed : (struct cpuid_result){0});
        return OUTCOME_ADVANCE;
    }
    struct cpuid_result hardware = cpuid(leaf, subleaf);
    set_answer(vcpu,
               (struct cpuid_result){hardware.eax & row->mask.eax, hardware.ebx & row->mask.ebx,
                                     hardware.ecx & row->mask.ecx, hardware.edx & row->mask.edx});
    if (row->adjust != NULL)
        row->adjust(vcpu, subleaf);
    return OUTCOME_ADVANCE;
}

bool cpuid_policy_xcr0_valid(uint64_t value)
{
    uint64_t avx512 = value & XCR0_AVX512;
    if ((value & ~cpuid_machine.xcr0) != 0 || (value & XCR0_X87) == 0)
        return false;
    if ((value & (XCR0_AVX | XCR0_SSE)) == XCR0_AVX)
        return false;
    return avx512 == 0 || (avx512 == XCR0_AVX512 && (value & XCR0_AVX) != 0);
}
