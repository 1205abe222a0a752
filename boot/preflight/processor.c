/* SPDX-License-Identifier: MIT */
/* Identity, features and topology of the processor (SDM 2A, CPUID; APM 3, E). */
#include "boot/preflight/preflight.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"

#define EXTENDED      0x80000000u
#define HYPERVISOR    0x40000000u
#define MAX_BASIC     0x28u /* leaves printed at most */
#define MAX_EXTENDED  0x28u
#define MAX_SUBLEAVES 8u
#define MSR_MICROCODE 0x8b
#define LEVEL_SMT     1u
#define FEATURE_NAME  24

enum word { EAX, EBX, ECX, EDX };

static const struct feature {
    uint32_t leaf;
    enum word word;
    uint8_t bit;
    const char *name;
} features[] = {
    {0x1, ECX, 5, "vmx"},
    {0x80000001, ECX, 2, "svm"},
    {0x1, ECX, 6, "smx"},
    {0x1, ECX, 21, "x2apic"},
    {0x1, ECX, 24, "deadline"},
    {0x80000001, EDX, 20, "nx"},
    {0x80000001, EDX, 26, "gib"},
    {0x1, ECX, 17, "pcid"},
    {0x7, EBX, 10, "invpcid"},
    {0x80000001, EDX, 27, "rdtscp"},
    {0x80000007, EDX, 8, "invariant_tsc"},
    {0x1, ECX, 26, "xsave"},
    {0x7, EBX, 7, "smep"},
    {0x7, EBX, 20, "smap"},
    {0x7, ECX, 16, "la57"},
    {0x7, EDX, 15, "hybrid"},
    {0x7, EBX, 2, "sgx"},
    {0x1, EDX, 7, "mce"},
    {0x1, EDX, 14, "mca"},
    {0x1, ECX, 31, "hypervisor"},
};

static uint32_t word_of(const struct cpuid_result *result, enum word word)
{
    switch (word) {
    case EAX:
        return result->eax;
    case EBX:
        return result->ebx;
    case ECX:
        return result->ecx;
    default:
        return result->edx;
    }
}

static bool has_leaf(const struct preflight_cpu *cpu, uint32_t leaf)
{
    uint32_t most = cpu->cpuid(leaf & EXTENDED, 0).eax;
    return most >= leaf && most - (leaf & EXTENDED) < 0x10000;
}

static bool has(const struct preflight_cpu *cpu, const struct feature *feature)
{
    if (!has_leaf(cpu, feature->leaf))
        return false;
    struct cpuid_result result = cpu->cpuid(feature->leaf, 0);
    return (word_of(&result, feature->word) >> feature->bit & 1) != 0;
}

static void features_log(const struct preflight_cpu *cpu)
{
    char text[LOG_LINE_SIZE] = "";
    size_t length = 0;
    for (size_t i = 0; i < ARRAY_SIZE(features) && length < sizeof text - FEATURE_NAME; i++)
        length += format_text(text + length, sizeof text - length, "%s%s=%s", i == 0 ? "" : " ",
                              features[i].name, yes_no(has(cpu, &features[i])));
    log_event("cpu.features", "%s", text);
}

static void put(char *text, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        text[i] = (char)(value >> (8 * i) & 0xff);
}

static void name_log(const struct preflight_cpu *cpu, struct preflight *facts)
{
    struct cpuid_result zero = cpu->cpuid(0, 0), one = cpu->cpuid(1, 0);
    char vendor[12], brand[48] = "", quoted_vendor[64], quoted_brand[224];
    put(vendor, zero.ebx);
    put(vendor + 4, zero.edx);
    put(vendor + 8, zero.ecx);
    for (uint32_t i = 0; i < 3 && has_leaf(cpu, EXTENDED + 4); i++) {
        struct cpuid_result part = cpu->cpuid(EXTENDED + 2 + i, 0);
        for (enum word word = EAX; word <= EDX; word++)
            put(brand + 16 * i + 4 * word, word_of(&part, word));
    }
    size_t length = 0;
    while (length < sizeof brand && brand[length] != '\0')
        length++;
    quote_text(quoted_vendor, sizeof quoted_vendor, vendor, sizeof vendor);
    quote_text(quoted_brand, sizeof quoted_brand, brand, length);
    uint32_t family = (uint32_t)FIELD(one.eax, 11, 8), model = (uint32_t)FIELD(one.eax, 7, 4);
    if (family == 6 || family == 15)
        model |= (uint32_t)FIELD(one.eax, 19, 16) << 4;
    if (family == 15)
        family += (uint32_t)FIELD(one.eax, 27, 20);
    facts->intel = memcmp(vendor, "GenuineIntel", sizeof vendor) == 0;
    facts->under_hypervisor = one.ecx >> 31 != 0;
    bool amd = memcmp(vendor, "AuthenticAMD", sizeof vendor) == 0;
    /* IA32_BIOS_SIGN_ID is there from family 6 on, AMD's PATCH_LEVEL from family 10h on. */
    bool readable = !facts->under_hypervisor && (one.edx & BIT(5)) != 0 &&
                    ((facts->intel && family >= 6) || (amd && family >= 0x10));
    uint64_t revision = readable ? cpu->msr(MSR_MICROCODE) : 0;
    log_event("cpu.name",
              "vendor=\"%s\" family=0x%x model=0x%x stepping=0x%x signature=0x%x microcode=0x%x "
              "brand=\"%s\"",
              quoted_vendor, family, model, one.eax & 0xf, one.eax,
              (uint32_t)(facts->intel ? revision >> 32 : revision), quoted_brand);
    uint32_t widths = has_leaf(cpu, EXTENDED + 8) ? cpu->cpuid(EXTENDED + 8, 0).eax : 0x2024;
    log_event("cpu.width", "physical=%u linear=%u", widths & 0xff, widths >> 8 & 0xff);
    if (!facts->under_hypervisor)
        return;
    struct cpuid_result signature = cpu->cpuid(HYPERVISOR, 0);
    put(vendor, signature.ebx);
    put(vendor + 4, signature.ecx);
    put(vendor + 8, signature.edx);
    length = 0;
    while (length < sizeof vendor && vendor[length] != '\0')
        length++;
    quote_text(quoted_vendor, sizeof quoted_vendor, vendor, length);
    log_event("cpu.hypervisor", "signature=\"%s\"", quoted_vendor);
}

/* Leaf 1Fh, else 0Bh: at each level how far to shift an APIC id to get the next level's. */
static void topology_log(const struct preflight_cpu *cpu, struct preflight *facts)
{
    static const uint32_t leaves[] = {0x1f, 0xb};
    facts->smt_shift = 0;
    for (size_t i = 0; i < ARRAY_SIZE(leaves); i++) {
        if (!has_leaf(cpu, leaves[i]) || (cpu->cpuid(leaves[i], 0).ebx & 0xffff) == 0)
            continue;
        uint32_t threads = 1, most = 1, shift = 0;
        for (uint32_t level = 0; level < MAX_SUBLEAVES; level++) {
            struct cpuid_result result = cpu->cpuid(leaves[i], level);
            uint32_t type = (uint32_t)FIELD(result.ecx, 15, 8);
            if (type == 0)
                break;
            shift = result.eax & 0x1f;
            most = result.ebx & 0xffff;
            if (type == LEVEL_SMT) {
                facts->smt_shift = shift;
                threads = most;
            }
        }
        log_event("cpu.topology",
                  "source=0x%x smt_shift=%u package_shift=%u threads_per_core=%u "
                  "threads_per_package=%u",
                  leaves[i], facts->smt_shift, shift, threads, most);
        return;
    }
    log_event("cpu.topology",
              "source=none message=\"CPUID has neither leaf 1Fh nor 0Bh: which logical CPUs share "
              "a core is not known\"");
}

static bool last_subleaf(uint32_t leaf, uint32_t subleaf, const struct cpuid_result *result)
{
    switch (leaf) {
    case 0x4:
        return (result->eax & 0x1f) == 0; /* no more caches */
    case 0x7:
        return subleaf >= 2;
    case 0xb:
    case 0x1f:
        return FIELD(result->ecx, 15, 8) == 0;
    case 0xd:
        return subleaf == 1;
    default:
        return true;
    }
}

static void leaves_log(const struct preflight_cpu *cpu, uint32_t first, uint32_t limit)
{
    uint32_t most = cpu->cpuid(first, 0).eax;
    for (uint32_t leaf = first; leaf <= most && leaf - first < limit; leaf++) {
        for (uint32_t subleaf = 0; subleaf < MAX_SUBLEAVES; subleaf++) {
            struct cpuid_result result = cpu->cpuid(leaf, subleaf);
            if ((result.eax | result.ebx | result.ecx | result.edx) != 0)
                log_event("cpu.cpuid", "leaf=0x%x subleaf=0x%x eax=0x%x ebx=0x%x ecx=0x%x edx=0x%x",
                          leaf, subleaf, result.eax, result.ebx, result.ecx, result.edx);
            if (last_subleaf(leaf, subleaf, &result))
                break;
        }
    }
}

void preflight_processor(const struct preflight_cpu *cpu, struct preflight *facts)
{
    name_log(cpu, facts);
    features_log(cpu);
    facts->x2apic = (cpu->cpuid(1, 0).ecx & BIT(21)) != 0;
    topology_log(cpu, facts);
    leaves_log(cpu, 0, MAX_BASIC);
    leaves_log(cpu, EXTENDED, MAX_EXTENDED);
    if (facts->under_hypervisor)
        leaves_log(cpu, HYPERVISOR, 2);
}
