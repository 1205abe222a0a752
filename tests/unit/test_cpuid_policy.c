/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/setup/cpuid_policy.c
#include <string.h>

#include "hypervisor/abi/calls.h"
#include "hypervisor/setup/policy.h"
#include "hypervisor/vcpu/vcpu.h"
#include "hypervisor/x86/clock.h"
#include "tests/unit/support/host.h"
#include "hypervisor/vcpu/backend.h"

static bool guest_osxsave;

static bool fake_osxsave(struct vcpu *vcpu)
{
    return guest_osxsave;
}

static struct vcpu_backend backend = {.osxsave = fake_osxsave};
const struct vcpu_backend *vcpu_selected = &backend;

uint64_t clock_tsc_khz(void)
{
    return 2112000;
}

/* A CPU that has everything: every bit of every leaf is set, but for what must make sense. */
static bool intel, avx512 = true, deadline = true;
static uint32_t highest = 0x20;

static struct cpuid_result everything(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_result result = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    if (leaf == 0) {
        result.eax = highest;
        memcpy(&result.ebx, intel ? "Genu" : "Auth", 4);
    } else if (leaf == 1 && !deadline) {
        result.ecx &= ~(1u << 24);
    } else if (leaf == 0x80000000) {
        result.eax = 0x80000028;
    } else if (leaf == 0xd && subleaf == 0) {
        result = (struct cpuid_result){avx512 ? 0x7ff : 0x61f, 0x240, 0x2b00, UINT32_MAX};
    } else if (leaf == 0xd && subleaf == 2) {
        result = (struct cpuid_result){.eax = 256, .ebx = 576};
    } else if (leaf == 0xd && subleaf >= 5 && subleaf <= 7) {
        static const struct cpuid_result areas[] = {
            {.eax = 64, .ebx = 1088}, {.eax = 512, .ebx = 1152}, {.eax = 1024, .ebx = 1664}};
        result = areas[subleaf - 5];
    }
    return result;
}

static struct cpuid_result the_hardwares;

static struct cpuid_result hardwares(uint32_t leaf, uint32_t subleaf)
{
    return the_hardwares;
}

#define cpuid hardwares
#include "hypervisor/vcpu/policy/cpuid.c"

static struct cpuid_result filter(uint32_t leaf, uint32_t subleaf, struct cpuid_result hardware,
                                  uint64_t with_cr4)
{
    struct vcpu vcpu = {.registers = {[0 ... GUEST_REGISTERS - 1] = UINT64_MAX}};
    guest_osxsave = (with_cr4 & CR4_OSXSAVE) != 0;
    the_hardwares = hardware;
    vcpu.registers[GUEST_RAX] = UINT64_MAX << 32 | leaf;
    vcpu.registers[GUEST_RCX] = UINT64_MAX << 32 | subleaf;
    assert_int_equal(exit_cpuid(&vcpu), OUTCOME_ADVANCE);
    for (unsigned i = GUEST_RAX; i <= GUEST_RBX; i++)
        assert_int_equal(vcpu.registers[i] >> 32, 0);
    for (unsigned i = GUEST_RSP; i < GUEST_REGISTERS; i++)
        assert_true(vcpu.registers[i] == UINT64_MAX);
    return (struct cpuid_result){
        (uint32_t)vcpu.registers[GUEST_RAX], (uint32_t)vcpu.registers[GUEST_RBX],
        (uint32_t)vcpu.registers[GUEST_RCX], (uint32_t)vcpu.registers[GUEST_RDX]};
}

static struct cpuid_result guest(uint32_t leaf, uint32_t subleaf)
{
    return filter(leaf, subleaf, everything(leaf, subleaf), 0);
}

static int setup(void **state)
{
    intel = true;
    avx512 = deadline = true;
    highest = 0x20;
    backend.call_instruction = ABI_CALL_VMCALL;
    cpuid_policy_init(everything);
    return 0;
}

static void test_forbidden_features(void **state)
{
    static const struct {
        const char *name;
        uint32_t leaf;
        char reg;
        unsigned bit;
    } forbidden[] = {
        {"DTES64", 1, 'c', 2},
        {"MONITOR", 1, 'c', 3},
        {"VMX", 1, 'c', 5},
        {"SMX", 1, 'c', 6},
        {"EIST", 1, 'c', 7},
        {"PDCM", 1, 'c', 15},
        {"DCA", 1, 'c', 18},
        {"MCE", 1, 'd', 7},
        {"MCA", 1, 'd', 14},
        {"DS", 1, 'd', 21},
        {"TSC_ADJUST", 7, 'b', 1},
        {"SGX", 7, 'b', 2},
        {"HLE", 7, 'b', 4},
        {"RTM", 7, 'b', 11},
        {"MPX", 7, 'b', 14},
        {"PT", 7, 'b', 25},
        {"PKU", 7, 'c', 3},
        {"WAITPKG", 7, 'c', 5},
        {"CET_SS", 7, 'c', 7},
        {"LA57", 7, 'c', 16},
        {"SGX_LC", 7, 'c', 30},
        {"SPEC_CTRL", 7, 'd', 26},
        {"STIBP", 7, 'd', 27},
        {"L1D_FLUSH", 7, 'd', 28},
        {"ARCH_CAP", 7, 'd', 29},
        {"SSBD", 7, 'd', 31},
        {"IBPB", 0x80000008, 'b', 12},
        {"IBRS", 0x80000008, 'b', 14},
        {"VIRT_SSBD", 0x80000008, 'b', 25},
        {"AMX", 7, 'd', 24},
        {"SVM", 0x80000001, 'c', 2},
        {"SKINIT", 0x80000001, 'c', 12},
        {"IBS", 0x80000001, 'c', 10},
        {"MWAITX", 0x80000001, 'c', 29},
        {"PERFCTR", 0x80000001, 'c', 23},
    };
    for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++) {
        struct cpuid_result result = guest(forbidden[i].leaf, 0);
        uint32_t value = forbidden[i].reg == 'b'   ? result.ebx
                         : forbidden[i].reg == 'c' ? result.ecx
                                                   : result.edx;
        if ((value >> forbidden[i].bit & 1) != 0)
            print_message("%s\n", forbidden[i].name);
        assert_int_equal(value >> forbidden[i].bit & 1, 0);
    }
}

static void test_needed_features(void **state)
{
    struct cpuid_result one = guest(1, 0), seven = guest(7, 0), extended = guest(0x80000001, 0);
    assert_true(one.ecx & BIT(31)); /* hypervisor */
    assert_true(one.ecx & BIT(21)); /* x2APIC */
    assert_true(one.ecx & BIT(24)); /* TSC deadline */
    assert_true(one.ecx & BIT(26)); /* XSAVE */
    /* What 64-bit Linux insists on: FPU PSE MSR PAE CX8 PGE CMOV FXSR SSE SSE2; LM */
    uint32_t required = BIT(0) | BIT(3) | BIT(5) | BIT(6) | BIT(8) | BIT(13) | BIT(15) | BIT(24) |
                        BIT(25) | BIT(26);
    assert_int_equal(one.edx & required, required);
    assert_true(extended.edx & BIT(29));
    assert_true(extended.edx & BIT(20));       /* NX */
    assert_true(extended.edx & BIT(11));       /* SYSCALL */
    assert_true(seven.ebx & BIT(7));           /* SMEP */
    assert_int_equal(guest(6, 0).eax, BIT(2)); /* ARAT */
    /* Ids are the core's own. */
    assert_int_equal(one.ebx, UINT32_MAX);
    assert_int_equal(guest(0xb, 0).edx, UINT32_MAX);
}

/* Features that the CPU has not are not made up. */
static void test_nothing_is_added(void **state)
{
    struct cpuid_result none = {0};
    assert_int_equal(filter(1, 0, none, 0).ecx, BIT(31));
    assert_int_equal(filter(1, 0, none, 0).edx, 0);
    assert_int_equal(filter(7, 0, none, 0).ebx, 0);
    assert_int_equal(filter(0x80000001, 0, none, 0).ecx, 0);
}

static void test_osxsave_follows_cr4(void **state)
{
    struct cpuid_result hardware = everything(1, 0);
    assert_false(filter(1, 0, hardware, 0).ecx & BIT(27));
    assert_true(filter(1, 0, hardware, CR4_OSXSAVE).ecx & BIT(27));
    for (uint32_t leaf = 0; leaf < 0x40; leaf++) {
        if (leaf == 1)
            continue;
        struct cpuid_result with = filter(leaf, 0, everything(leaf, 0), UINT64_MAX);
        struct cpuid_result without = filter(leaf, 0, everything(leaf, 0), 0);
        assert_memory_equal(&with, &without, sizeof with);
    }
}

static void expect_zero(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_result result = guest(leaf, subleaf), zero = {0};
    if (memcmp(&result, &zero, sizeof zero) != 0)
        print_message("leaf %#x subleaf %#x\n", leaf, subleaf);
    assert_memory_equal(&result, &zero, sizeof zero);
}

/* MONITOR, PMU, SGX, PT, QoS, VMX-only and unknown leaves, all of the hypervisor range but ours. */
static void test_deny_by_default(void **state)
{
    static const uint32_t leaves[] = {0x3,        0x5,        0x8,        0x9,        0xa,
                                      0xc,        0xe,        0xf,        0x10,       0x12,
                                      0x14,       0x16,       0x17,       0x1d,       0x20,
                                      0x21,       0x3fffffff, 0x40000002, 0x40000003, 0x400000ff,
                                      0x7fffffff, 0x8000000a, 0x8000001b, 0x8000001c, 0x8000001f,
                                      0x80000021, 0x80000022, 0x80860000, 0xc0000000, UINT32_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(leaves); i++)
        for (uint32_t subleaf = 0; subleaf < 4; subleaf++)
            expect_zero(leaves[i], subleaf);
    for (uint32_t subleaf = 1; subleaf < 70; subleaf++)
        expect_zero(7, subleaf);
}

static void test_highest_leaves(void **state)
{
    assert_int_equal(guest(0, 0).eax, 0x1f);
    assert_int_equal(guest(0x80000000, 0).eax, 0x80000021);
    highest = 0x4; /* a CPU answers beyond its highest leaf with that leaf's data */
    intel = false;
    cpuid_policy_init(everything);
    assert_int_equal(guest(0, 0).eax, 4);
    expect_zero(7, 0);
    expect_zero(0xb, 0);
    assert_int_equal(cpuid_machine.xcr0, 0);
    assert_int_equal(cpuid_machine.cr4 & CR4_OSXSAVE, 0);
}

static void test_hypervisor_leaves(void **state)
{
    struct cpuid_result signature = guest(ABI_CPUID_SIGNATURE, 0);
    assert_int_equal(signature.eax, ABI_CPUID_FEATURES);
    assert_memory_equal(&signature.ebx, "BulkheadHV\0\0", 12);
    struct cpuid_result features = guest(ABI_CPUID_FEATURES, 0);
    assert_int_equal(features.eax, 1);
    assert_int_equal(features.ebx, 2112000);
    struct cpuid_result kvm = guest(ABI_CPUID_KVM, 0);
    assert_int_equal(kvm.eax, ABI_CPUID_KVM_FEATURES);
    assert_memory_equal(&kvm.ebx, "KVMKVMKVM\0\0\0", 12);
    /* No clock, no asynchronous faults, no stealing of time. */
    struct cpuid_result offered = guest(ABI_CPUID_KVM_FEATURES, 0);
    assert_int_equal(offered.eax, BIT(1) | BIT(15)); /* and wide destinations of messages */
    assert_int_equal(offered.ebx | offered.ecx | offered.edx, 0);
    assert_int_equal(features.ecx, ABI_CALL_VMCALL);
    backend.call_instruction = ABI_CALL_VMMCALL;
    cpuid_policy_init(everything);
    assert_int_equal(guest(ABI_CPUID_FEATURES, 0).ecx, ABI_CALL_VMMCALL);
}

static void test_frequency_leaf(void **state)
{
    struct cpuid_result leaf = guest(0x15, 0);
    /* crystal in Hz * numerator / denominator, as Linux computes it in kHz */
    assert_int_equal((uint64_t)leaf.ecx / 1000 * leaf.ebx / leaf.eax, 2112000);
    deadline = false;
    cpuid_policy_init(everything);
    expect_zero(0x15, 0);
    deadline = true;
    highest = 0xd;
    cpuid_policy_init(everything);
    assert_int_equal(guest(0, 0).eax, 0x15);
    assert_int_equal(guest(0x15, 0).ebx, 2112000);
}

static void test_xsave(void **state)
{
    assert_int_equal(cpuid_machine.xcr0, 0xe7);
    struct cpuid_result main = guest(0xd, 0), features = guest(0xd, 1);
    assert_int_equal(main.eax, 0xe7);
    assert_int_equal(main.edx, 0);
    assert_int_equal(main.ebx, 0x240); /* the CPU's: it follows XCR0, which stays in the core */
    assert_int_equal(main.ecx, 1664 + 1024);
    assert_int_equal(features.eax, 7); /* no XSAVES */
    assert_int_equal(features.ecx, 0);
    assert_int_equal(guest(0xd, 2).ebx, 576);
    for (uint32_t component = 3; component < 70; component++)
        if (component < 5 || component > 7)
            expect_zero(0xd, component);

    avx512 = false;
    cpuid_policy_init(everything);
    assert_int_equal(cpuid_machine.xcr0, 7);
    assert_int_equal(guest(0xd, 0).ecx, 576 + 256);
    expect_zero(0xd, 6);
}

static void test_xcr0_values(void **state)
{
    static const uint64_t good[] = {1, 3, 7, 0xe7};
    static const uint64_t bad[] = {
        0,         2,    4,    5,   6,     0xe3,    0xe1,    0x27,
        0x67,      0x47, 0x1f, 0x9, 0x207, 0x60007, 1u << 8, UINT64_C(1) << 63,
        UINT64_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        assert_true(cpuid_policy_xcr0_valid(good[i]));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(cpuid_policy_xcr0_valid(bad[i]));
}

static void test_control_bits(void **state)
{
    uint64_t cr4 = cpuid_machine.cr4;
    assert_true(cr4 & CR4_PAE);
    assert_true(cr4 & CR4_OSXSAVE);
    assert_false(cr4 & CR4_VMXE);
    assert_false(cr4 & CR4_LA57);
    assert_false(cr4 & BIT(14)); /* SMXE */
    assert_false(cr4 & BIT(22)); /* PKE */
    assert_false(cr4 & BIT(23)); /* CET */
    assert_int_equal(cpuid_machine.efer, EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_forbidden_features, setup),
        cmocka_unit_test_setup(test_needed_features, setup),
        cmocka_unit_test_setup(test_nothing_is_added, setup),
        cmocka_unit_test_setup(test_osxsave_follows_cr4, setup),
        cmocka_unit_test_setup(test_deny_by_default, setup),
        cmocka_unit_test_setup(test_highest_leaves, setup),
        cmocka_unit_test_setup(test_hypervisor_leaves, setup),
        cmocka_unit_test_setup(test_frequency_leaf, setup),
        cmocka_unit_test_setup(test_xsave, setup),
        cmocka_unit_test_setup(test_xcr0_values, setup),
        cmocka_unit_test_setup(test_control_bits, setup),
    };
    return cmocka_run_group_tests_name("cpuid policy", tests, NULL, NULL);
}
