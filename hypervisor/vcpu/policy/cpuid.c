#include "hypervisor/vcpu/policy/cpuid.h"

#include "hypervisor/base/string.h"
#include "hypervisor/abi/calls.h"
#include "hypervisor/vcpu/exits.h"
#include "hypervisor/x86/clock.h"

#define ALL 0xffffffffu

/* Leaf 1 */
#define ECX_TSC_DEADLINE BIT(24)
#define ECX_XSAVE        BIT(26)
#define ECX_OSXSAVE      BIT(27)
#define ECX_HYPERVISOR   BIT(31)
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
#define LEAF_6_EAX_ARAT BIT(2)
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
#define EDX_NX         BIT(20)
#define EDX_LONG_MODE  BIT(29)
#define EXTENDED_7_EDX BIT(8) /* invariant TSC */
/* CLZERO, XSAVE always saves error pointers. */
#define EXTENDED_8_EBX (BIT(0) | BIT(2))

/* x87, SSE, AVX, AVX-512. Not: MPX, PT, PKRU, CET, AMX. */
#define XCR0_X87          BIT(0)
#define XCR0_SSE          BIT(1)
#define XCR0_AVX          BIT(2)
#define XCR0_AVX512       BITS(7, 5)
#define XCR0_POLICY       (XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512)
#define XSAVE_LEGACY_SIZE 576 /* 512 bytes and the header */

#define HIGHEST_BASIC    0x1f
#define HIGHEST_EXTENDED 0x80000021
#define LEAF_FEATURES    1
#define LEAF_FREQUENCY   0x15

/* Facts of this machine, from cpuid_policy_init(). */
static struct {
    uint32_t highest_basic, highest_extended;
    uint32_t last_row; /* of basic[] that is the machine's leaf too */
    uint64_t xcr0;
    uint32_t xsave_size;
    uint64_t cr4, efer;
    bool synthetic_frequency;
    struct cpuid_result abi; /* ABI_CPUID_FEATURES */
} machine;

/* Works on the masked answer, in the guest's registers. */
typedef void adjust_function(struct vcpu *vcpu, uint32_t subleaf);

struct row {
    struct cpuid_result mask;
    adjust_function *adjust;
};

static void set_answer(struct vcpu *vcpu, struct cpuid_result answer)
{
    vcpu->registers[GUEST_RAX] = answer.eax;
    vcpu->registers[GUEST_RBX] = answer.ebx;
    vcpu->registers[GUEST_RCX] = answer.ecx;
    vcpu->registers[GUEST_RDX] = answer.edx;
}

static void adjust_highest(struct vcpu *vcpu, uint32_t subleaf)
{
    uint32_t highest = MIN(machine.highest_basic, (uint32_t)HIGHEST_BASIC);
    (void)subleaf;
    if (machine.synthetic_frequency)
        highest = MAX(highest, (uint32_t)LEAF_FREQUENCY);
    vcpu->registers[GUEST_RAX] = highest;
}

static void adjust_features(struct vcpu *vcpu, uint32_t subleaf)
{
    (void)subleaf;
    vcpu->registers[GUEST_RCX] |= ECX_HYPERVISOR;
    if (vcpu_backend()->osxsave(vcpu))
        vcpu->registers[GUEST_RCX] |= ECX_OSXSAVE;
}

/* The APIC timer does not stop in HLT, and a guest has no deeper sleep. */
static void adjust_power(struct vcpu *vcpu, uint32_t subleaf)
{
    (void)subleaf;
    vcpu->registers[GUEST_RAX] = LEAF_6_EAX_ARAT;
}

static void adjust_structured(struct vcpu *vcpu, uint32_t subleaf)
{
    if (subleaf != 0)
        set_answer(vcpu, (struct cpuid_result){0});
}

static void adjust_xsave(struct vcpu *vcpu, uint32_t subleaf)
{
    if (machine.xcr0 != 0 && subleaf == 0) {
        vcpu->registers[GUEST_RAX] = machine.xcr0;
        vcpu->registers[GUEST_RCX] = machine.xsave_size;
        vcpu->registers[GUEST_RDX] = 0;
    } else if (machine.xcr0 != 0 && subleaf == 1) {
        vcpu->registers[GUEST_RAX] &= LEAF_D1_EAX;
        vcpu->registers[GUEST_RCX] = 0;
        vcpu->registers[GUEST_RDX] = 0;
    } else if (subleaf >= 32 || (machine.xcr0 & BIT(subleaf)) == 0) {
        set_answer(vcpu, (struct cpuid_result){0});
    }
}

/* TSC rate as a ratio to a crystal of 10 kHz. Only where the APIC timer counts TSC ticks: Linux
 * takes the crystal for the timer's clock as well. */
static void adjust_frequency(struct vcpu *vcpu, uint32_t subleaf)
{
    (void)subleaf;
    if (machine.synthetic_frequency)
        set_answer(
            vcpu, (struct cpuid_result){.eax = 10, .ebx = (uint32_t)clock_tsc_khz(), .ecx = 10000});
}

static void adjust_highest_extended(struct vcpu *vcpu, uint32_t subleaf)
{
    (void)subleaf;
    vcpu->registers[GUEST_RAX] = MIN(machine.highest_extended, HIGHEST_EXTENDED);
}

// clang-format off
static const struct row basic[HIGHEST_BASIC + 1] = {
    [0x00] = {.mask = {ALL, ALL, ALL, ALL}, .adjust = adjust_highest},
    [LEAF_FEATURES] = {.mask = {ALL, ALL, LEAF_1_ECX, LEAF_1_EDX}, .adjust = adjust_features},
    [0x02] = {.mask = {ALL, ALL, ALL, ALL}},                     /* caches and TLBs */
    [0x04] = {.mask = {ALL, ALL, ALL, ALL}}, /* caches */
    [0x06] = {.adjust = adjust_power},
    [0x07] = {.mask = {0, LEAF_7_EBX, LEAF_7_ECX, LEAF_7_EDX},
              .adjust = adjust_structured},
    [0x0b] = {.mask = {ALL, ALL, ALL, ALL}}, /* topology, the core's own id */
    [0x0d] = {.mask = {ALL, ALL, ALL, ALL}, .adjust = adjust_xsave},
    [LEAF_FREQUENCY] = {.adjust = adjust_frequency},
    [0x1f] = {.mask = {ALL, ALL, ALL, ALL}}, /* topology */
};

static const struct row extended[(HIGHEST_EXTENDED & 0xff) + 1] = {
    [0x00] = {.mask = {0, ALL, ALL, ALL}, .adjust = adjust_highest_extended},
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

/* Four characters of a signature, as a register shows them. */
#define SIGNATURE_WORD(text, at)                                                                   \
    ((uint32_t)(text)[at] | (uint32_t)(text)[(at) + 1] << 8 | (uint32_t)(text)[(at) + 2] << 16 |   \
     (uint32_t)(text)[(at) + 3] << 24)

static void answer_hypervisor_leaf(struct vcpu *vcpu, uint32_t leaf)
{
    if (leaf == ABI_CPUID_FEATURES) {
        set_answer(vcpu, machine.abi);
        return;
    }
    switch (leaf) {
    case ABI_CPUID_SIGNATURE:
        set_answer(vcpu, (struct cpuid_result){.eax = ABI_CPUID_FEATURES,
                                               .ebx = SIGNATURE_WORD(ABI_SIGNATURE, 0),
                                               .ecx = SIGNATURE_WORD(ABI_SIGNATURE, 4),
                                               .edx = SIGNATURE_WORD(ABI_SIGNATURE, 8)});
        break;
    case ABI_CPUID_KVM:
        set_answer(vcpu, (struct cpuid_result){.eax = ABI_CPUID_KVM_FEATURES,
                                               .ebx = SIGNATURE_WORD(ABI_KVM_SIGNATURE, 0),
                                               .ecx = SIGNATURE_WORD(ABI_KVM_SIGNATURE, 4),
                                               .edx = SIGNATURE_WORD(ABI_KVM_SIGNATURE, 8)});
        break;
    case ABI_CPUID_KVM_FEATURES:
        set_answer(vcpu, (struct cpuid_result){.eax = ABI_KVM_NO_IO_DELAY});
        break;
    default:
        set_answer(vcpu, (struct cpuid_result){0});
        break;
    }
}

static const struct row *row_of(uint32_t leaf)
{
    if (leaf <= machine.last_row || leaf == LEAF_FREQUENCY)
        return &basic[leaf];
    uint32_t number = leaf - 0x80000000u;
    if (number < ARRAY_SIZE(extended) && leaf <= machine.highest_extended)
        return &extended[number];
    return NULL;
}

/* Inline, so that CPUID is too. */
static inline __attribute__((always_inline)) void answer(struct vcpu *vcpu, uint32_t leaf,
                                                         uint32_t subleaf, cpuid_query *query)
{
    const struct row *row = row_of(leaf);
    if (row == NULL) {
        answer_hypervisor_leaf(vcpu, leaf);
        return;
    }
    struct cpuid_result hardware = query(leaf, subleaf);
    set_answer(vcpu,
               (struct cpuid_result){hardware.eax & row->mask.eax, hardware.ebx & row->mask.ebx,
                                     hardware.ecx & row->mask.ecx, hardware.edx & row->mask.edx});
    if (row->adjust != NULL)
        row->adjust(vcpu, subleaf);
}

void cpuid_policy_answer(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf, cpuid_query *query)
{
    answer(vcpu, leaf, subleaf, query);
}

enum outcome exit_cpuid(struct vcpu *vcpu)
{
    answer(vcpu, (uint32_t)vcpu->registers[GUEST_RAX], (uint32_t)vcpu->registers[GUEST_RCX], cpuid);
    return OUTCOME_ADVANCE;
}

static void init_xsave(cpuid_query *query)
{
    machine.xcr0 = 0;
    machine.xsave_size = XSAVE_LEGACY_SIZE;
    if (machine.highest_basic < 0xd || (query(1, 0).ecx & ECX_XSAVE) == 0)
        return;
    machine.xcr0 = query(0xd, 0).eax & XCR0_POLICY;
    if ((machine.xcr0 & XCR0_AVX) == 0 || (machine.xcr0 & XCR0_AVX512) != XCR0_AVX512)
        machine.xcr0 &= ~XCR0_AVX512;
    for (uint32_t component = 2; component < 32; component++) {
        if ((machine.xcr0 & BIT(component)) == 0)
            continue;
        struct cpuid_result area = query(0xd, component);
        machine.xsave_size = MAX(machine.xsave_size, area.eax + area.ebx);
    }
}

/* Rows: a bit of CR4 and the CPUID bit that permits it. */
static void init_cr4(cpuid_query *query)
{
    struct cpuid_result one = query(1, 0), seven = {0};
    if (machine.highest_basic >= 7)
        seven = query(7, 0);
    const struct {
        unsigned bit;
        bool present;
    } conditional[] = {
        {11, (seven.ecx & BIT(2)) != 0},  /* UMIP */
        {16, (seven.ebx & BIT(0)) != 0},  /* FSGSBASE */
        {17, (one.ecx & BIT(17)) != 0},   /* PCIDE */
        {18, machine.xcr0 != 0},          /* OSXSAVE */
        {20, (seven.ebx & BIT(7)) != 0},  /* SMEP */
        {21, (seven.ebx & BIT(20)) != 0}, /* SMAP */
    };
    machine.cr4 = BITS(10, 0); /* VME .. OSXMMEXCPT: every CPU with VMX or SVM has them */
    for (size_t i = 0; i < ARRAY_SIZE(conditional); i++)
        if (conditional[i].present)
            machine.cr4 |= BIT(conditional[i].bit);
}

void cpuid_policy_init(cpuid_query *query)
{
    struct cpuid_result vendor = query(0, 0);
    machine.highest_basic = vendor.eax;
    machine.last_row = MIN(vendor.eax, (uint32_t)HIGHEST_BASIC);
    machine.highest_extended = query(0x80000000, 0).eax;
    init_xsave(query);
    init_cr4(query);
    uint32_t features = query(0x80000001, 0).edx;
    machine.efer = EFER_SCE | EFER_LMA;
    if ((features & EDX_LONG_MODE) != 0)
        machine.efer |= EFER_LME;
    if ((features & EDX_NX) != 0)
        machine.efer |= EFER_NXE;
    machine.abi = (struct cpuid_result){.eax = ABI_VERSION,
                                        .ebx = (uint32_t)clock_tsc_khz(),
                                        .ecx = vcpu_backend()->call_instruction};
    bool intel = memcmp(&vendor.ebx, "Genu", 4) == 0;
    machine.synthetic_frequency = intel && (query(1, 0).ecx & ECX_TSC_DEADLINE) != 0;
}

uint64_t cpuid_policy_xcr0(void)
{
    return machine.xcr0;
}

bool cpuid_policy_xcr0_valid(uint64_t value)
{
    uint64_t avx512 = value & XCR0_AVX512;
    if ((value & ~machine.xcr0) != 0 || (value & XCR0_X87) == 0)
        return false;
    if ((value & (XCR0_AVX | XCR0_SSE)) == XCR0_AVX)
        return false;
    return avx512 == 0 || (avx512 == XCR0_AVX512 && (value & XCR0_AVX) != 0);
}

uint64_t cpuid_policy_cr4(void)
{
    return machine.cr4;
}

uint64_t cpuid_policy_efer(void)
{
    return machine.efer;
}
