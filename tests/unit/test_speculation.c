/* SPDX-License-Identifier: MIT */
// What a CPU is vulnerable to, and what is done: CPUs as their makers describe them.
// SOURCES: hypervisor/setup/speculation.c hypervisor/base/format.c hypervisor/base/string.c
// SOURCES: hypervisor/base/text.c
#include <string.h>

#include "hypervisor/setup/speculation.h"
#include "hypervisor/setup/vcpu.h"
#include "hypervisor/vcpu/barrier.h"
#include "tests/unit/support/host.h"

/* --- the CPU --- */

static struct {
    const char *vendor; /* its first four characters */
    uint32_t signature, one_ecx, seven_ebx, seven_edx, seven_2_edx, amd_ebx, amd_eax;
    uint64_t arch;   /* IA32_ARCH_CAPABILITIES, with bit 29 of seven_edx */
    bool msr_denied; /* CPUID lists it, but reading it faults */
} cpu;

static struct cpuid_result query(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_result result = {0};
    switch (leaf) {
    case 0:
        result.eax = 0x1f;
        memcpy(&result.ebx, cpu.vendor, 4);
        break;
    case 1:
        result = (struct cpuid_result){.eax = cpu.signature, .ecx = cpu.one_ecx};
        break;
    case 7:
        result = subleaf == 0 ? (struct cpuid_result){2, cpu.seven_ebx, 0, cpu.seven_edx}
                              : (struct cpuid_result){.edx = subleaf == 2 ? cpu.seven_2_edx : 0};
        break;
    case 0x80000000:
        result.eax = cpu.amd_ebx != 0 || cpu.amd_eax != 0 ? 0x80000021 : 0x80000008;
        break;
    case 0x80000008:
        result.ebx = cpu.amd_ebx;
        break;
    case 0x80000021:
        result.eax = cpu.amd_eax;
        break;
    default:
        break;
    }
    return result;
}

static bool read_msr(uint32_t msr, uint64_t *value)
{
    assert_int_equal(msr, 0x10a);
    assert_true((cpu.seven_edx & BIT(29)) != 0); /* it may fault */
    *value = cpu.arch;
    return !cpu.msr_denied;
}

/* --- what the rest of the file needs; the tests are about the reading --- */

struct core_barriers core_barriers;

const struct vcpu_setup *vcpu_setup(void)
{
    return NULL;
}

bool msr_read_safe(uint32_t msr, uint64_t *value)
{
    return false;
}

bool msr_write_safe(uint32_t msr, uint64_t value)
{
    return false;
}

static struct speculation is;

static void read_it(void)
{
    speculation_read(&is, query, read_msr);
}

static void expect(const char *which)
{
    static const char *const names[] = {"l1tf", "mds", "taa", "mmio",    "bhi",
                                        "rfds", "its", "gds", "retbleed"};
    char text[128] = "";
    read_it();
    for (unsigned i = 0; i < VULNERABILITIES; i++) {
        if (is.vulnerable[i] == ANSWER_NO)
            continue;
        strcat(text, text[0] != '\0' ? " " : "");
        strcat(text, names[i]);
        strcat(text, is.vulnerable[i] == ANSWER_UNKNOWN ? "?" : "");
    }
    assert_string_equal(text, which);
}

#define SIGNATURE(model, stepping) (0x600u | ((model) & 0xf) << 4 | (model) >> 4 << 16 | (stepping))
#define AVX                        (1u << 28)
#define VIRTUAL                    (1u << 31)
#define ARCH                       (1u << 29)
#define MICROCODE                  (1u << 10 | 1u << 26 | 1u << 28)

static void intel(uint32_t model, uint32_t stepping)
{
    memset(&cpu, 0, sizeof cpu);
    cpu.vendor = "Genu";
    cpu.signature = SIGNATURE(model, stepping);
    cpu.one_ecx = AVX;
}

static void before_arch_capabilities(void **state)
{
    intel(0x5e, 3); /* Skylake, before and after its microcode was updated */
    expect("l1tf mds mmio gds retbleed");
    assert_false(is.ibpb || is.flush || is.verw || is.restricted);
    cpu.seven_edx = MICROCODE;
    cpu.seven_ebx = 1u << 11; /* RTM */
    expect("l1tf mds taa mmio gds retbleed");
    assert_true(is.ibpb && is.flush && is.verw);
    cpu.one_ecx = 0; /* without AVX nothing gathers */
    expect("l1tf mds taa mmio retbleed");
    intel(0x2a, 7); /* Sandy Bridge: nobody says anything about MMIO */
    expect("l1tf mds mmio?");
    intel(0x3f, 2);
    expect("l1tf mds mmio");
    intel(0x37, 8); /* Silvermont */
    expect("mds mmio?");
    intel(0x5c, 9); /* Goldmont */
    expect("rfds");
    intel(0x1c, 2); /* Bonnell, in order */
    expect("");
    cpu.one_ecx = VIRTUAL; /* enhanced IBRS may be hidden */
    expect("bhi?");
}

static void arch_capabilities(void **state)
{
    intel(0x55, 7); /* Cascade Lake */
    cpu.seven_edx = MICROCODE | ARCH;
    cpu.arch = 0x2b; /* RDCL_NO, IBRS_ALL, SKIP_L1DFL, MDS_NO */
    expect("mmio bhi its gds retbleed");
    assert_true(is.restricted && is.skips_flush && is.ibpb);
    cpu.arch |= BIT(7); /* TSX_CTRL, and not TAA_NO */
    expect("taa mmio bhi its gds retbleed");
    cpu.arch |= BIT(8) | BIT(26);
    expect("mmio bhi its retbleed");
    cpu.arch |= BIT(13) | BIT(15); /* two of three */
    expect("mmio bhi its retbleed");
    cpu.arch |= BIT(14) | BIT(20) | BIT(62);
    expect("retbleed");
    intel(0x8f, 6); /* Sapphire Rapids */
    cpu.seven_edx = MICROCODE | ARCH;
    cpu.seven_2_edx = 1u << 4;
    cpu.arch = 0x2b | BIT(8) | BITS(15, 13) | BIT(26) | BIT(27);
    expect("bhi");
    assert_true(is.bhi_control);
    intel(0x97, 2); /* Alder Lake */
    cpu.seven_edx = ARCH;
    cpu.arch = 0x2b | BIT(8) | BIT(28);
    expect("bhi rfds");
    assert_true(is.verw); /* RFDS_CLEAR */
    cpu.arch |= BIT(27);
    expect("bhi");
    intel(0x8c, 1); /* one of those with BHI_DIS_S is not among the affected */
    cpu.seven_2_edx = 1u << 4;
    cpu.arch = 0x2b;
    cpu.seven_edx = ARCH;
    expect("bhi gds");
}

/* A CPU of a later stepping is another one. */
static void steppings(void **state)
{
    intel(0x55, 4);
    expect("l1tf mds mmio gds retbleed");
    intel(0x55, 6);
    expect("l1tf mds mmio its gds retbleed");
    intel(0x9e, 12);
    expect("l1tf mds mmio gds retbleed");
    intel(0x9e, 13);
    expect("l1tf mds mmio its gds retbleed");
}

/* A register that is listed and faults says nothing: the CPU counts as vulnerable. */
static void a_register_that_is_not_there(void **state)
{
    intel(0x55, 7);
    cpu.seven_edx = ARCH;
    cpu.arch = UINT64_MAX;
    cpu.msr_denied = true;
    expect("l1tf mds mmio its gds retbleed");
    assert_false(is.restricted);
}

static void amd(void **state)
{
    memset(&cpu, 0, sizeof cpu);
    cpu.vendor = "Auth";
    cpu.signature = 0x00870f10; /* Zen 2 */
    cpu.amd_ebx = 1u << 12;
    expect("retbleed");
    assert_true(is.ibpb);
    assert_false(is.flush || is.verw);
    cpu.signature = 0x00a20f10; /* Zen 3 */
    expect("");
    cpu.amd_eax = 1u << 8 | 1u << 5;
    cpu.signature = 0x00a60f12; /* Zen 4: automatic IBRS, VERW clears */
    expect("");
    assert_true(is.restricted && is.verw);
    cpu.signature = 0x00870f10;
    cpu.amd_ebx |= 1u << 29; /* BTC_NO */
    expect("");
}

static void of_another_maker(void **state)
{
    memset(&cpu, 0, sizeof cpu);
    cpu.vendor = "Cent";
    expect("l1tf? mds? taa? mmio? bhi? rfds? its? gds? retbleed?");
}

static void expect_entry(bool shared, bool cache, bool buffers, bool left)
{
    read_it();
    struct speculation_entry entry = speculation_at_entry(&is, shared);
    assert_int_equal(entry.cache, cache);
    assert_int_equal(entry.buffers, buffers);
    assert_int_equal(entry.left, left);
}

/* At an entry nothing is done where a core has one owner, or the CPU does not need it. */
static void at_entries(void **state)
{
    intel(0x5e, 3);
    cpu.seven_edx = MICROCODE;
    expect_entry(false, false, false, false);
    expect_entry(true, true, true, false);
    cpu.seven_edx = 1u << 10;
    expect_entry(true, false, true, true); /* nothing empties the cache */
    cpu.seven_edx = 1u << 28;
    expect_entry(true, true, false, true);
    cpu.seven_edx = MICROCODE | ARCH;
    cpu.arch = BIT(3); /* whoever is below flushes the cache */
    expect_entry(true, false, true, false);
    cpu.arch = BIT(0) | BIT(5) | BIT(8) | BITS(15, 13) | BIT(27);
    expect_entry(true, false, false, false);
    intel(0x2a, 7); /* what is not known counts as there */
    cpu.seven_edx = MICROCODE | ARCH;
    cpu.arch = BIT(0) | BIT(5) | BIT(8);
    expect_entry(true, false, true, false);
    cpu.vendor = "Auth";
    expect_entry(true, false, false, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_arch_capabilities),
        cmocka_unit_test(arch_capabilities),
        cmocka_unit_test(steppings),
        cmocka_unit_test(a_register_that_is_not_there),
        cmocka_unit_test(at_entries),
        cmocka_unit_test(amd),
        cmocka_unit_test(of_another_maker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
