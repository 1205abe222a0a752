/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/speculation.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/setup/vcpu.h"
#include "hypervisor/vcpu/barrier.h"

#define MSR_ARCH_CAPABILITIES 0x10a
#define RDCL_NO               BIT(0)
#define IBRS_ALL              BIT(1)
#define SKIP_L1DFL_VMENTRY    BIT(3)
#define MDS_NO                BIT(5)
#define TSX_CTRL              BIT(7)
#define TAA_NO                BIT(8)
#define MMIO_NO               BITS(15, 13) /* SBDR_SSDP_NO, FBSDP_NO, PSDP_NO: all three */
#define RSBA                  BIT(2)
#define FB_CLEAR              BIT(17)
#define BHI_NO                BIT(20)
#define GDS_NO                BIT(26)
#define RFDS_NO               BIT(27)
#define RFDS_CLEAR            BIT(28)
#define ITS_NO                BIT(62)

#define SPEC_CTRL_IBRS      BIT(0)
#define SPEC_CTRL_BHI_DIS_S BIT(10)
#define EFER_AUTOMATIC_IBRS BIT(21) /* APM 2 3.1.7 */

struct identity {
    bool intel, amd; /* neither: nothing is known of its family and model */
    unsigned family, model, stepping;
};

/* Family 6, by model (Intel, "Affected Processors: Transient Execution Attacks"). */
#define LEAKS(vulnerability) (1u << VULNERABLE_##vulnerability)
#define IMMUNE_L1TF          BIT(16)
#define IMMUNE_MDS           BIT(17)
#define IMMUNE_MMIO          BIT(18)
#define OLD_ATOM             (IMMUNE_L1TF)
#define IN_ORDER             (IMMUNE_L1TF | IMMUNE_MDS | IMMUNE_MMIO)
#define SKYLAKE              (LEAKS(MMIO) | LEAKS(RETBLEED) | LEAKS(GDS))

// clang-format off
static const struct model {
    uint8_t model, first_stepping; /* ... and later ones */
    uint32_t says;
} models[] = {
    /* A later row of the same model counts where it has the stepping. */
    {0x1c, 0, IN_ORDER}, {0x26, 0, IN_ORDER}, {0x27, 0, IN_ORDER},       /* Bonnell, Saltwell */
    {0x35, 0, IN_ORDER}, {0x36, 0, IN_ORDER},
    {0x37, 0, OLD_ATOM}, {0x4a, 0, OLD_ATOM}, {0x4d, 0, OLD_ATOM},       /* Silvermont */
    {0x4c, 0, OLD_ATOM}, {0x5a, 0, OLD_ATOM}, {0x75, 0, OLD_ATOM},       /* Airmont */
    {0x57, 0, OLD_ATOM}, {0x85, 0, OLD_ATOM},                            /* Xeon Phi */
    {0x5c, 0, IN_ORDER | LEAKS(RFDS)}, {0x5f, 0, IN_ORDER | LEAKS(RFDS)},   /* Goldmont */
    {0x7a, 0, IN_ORDER | LEAKS(RFDS)},                                   /* Goldmont Plus */
    {0x86, 0, LEAKS(MMIO) | LEAKS(RFDS)}, {0x96, 0, LEAKS(MMIO) | LEAKS(RFDS)}, /* Tremont */
    {0x9c, 0, LEAKS(MMIO) | LEAKS(RFDS)},
    {0x3f, 0, LEAKS(MMIO)}, {0x4f, 0, LEAKS(MMIO)}, {0x56, 0, LEAKS(MMIO)}, /* Haswell, Broadwell */
    {0x4e, 0, SKYLAKE}, {0x5e, 0, SKYLAKE}, {0x55, 0, SKYLAKE},          /* Skylake */
    {0x55, 6, SKYLAKE | LEAKS(ITS)},                                     /* Cascade, Cooper Lake */
    {0x8e, 0, SKYLAKE}, {0x8e, 12, SKYLAKE | LEAKS(ITS)},                /* Kaby to Comet Lake */
    {0x9e, 0, SKYLAKE}, {0x9e, 13, SKYLAKE | LEAKS(ITS)},                /* Kaby, Coffee Lake */
    {0x66, 0, LEAKS(RETBLEED)},                                          /* Cannon Lake */
    {0x7e, 0, SKYLAKE | LEAKS(ITS)},                                     /* Ice Lake */
    {0x6a, 0, LEAKS(MMIO) | LEAKS(GDS) | LEAKS(ITS)},
    {0x6c, 0, LEAKS(MMIO) | LEAKS(GDS) | LEAKS(ITS)},
    {0xa5, 0, SKYLAKE | LEAKS(ITS)}, {0xa6, 0, SKYLAKE | LEAKS(ITS)},    /* Comet Lake */
    {0x8c, 0, IMMUNE_MMIO | LEAKS(GDS) | LEAKS(ITS)},                    /* Tiger Lake */
    {0x8d, 0, IMMUNE_MMIO | LEAKS(GDS) | LEAKS(ITS)},
    {0x8a, 0, LEAKS(MMIO) | LEAKS(RETBLEED)},                            /* Lakefield */
    {0xa7, 0, SKYLAKE | LEAKS(ITS)},                                     /* Rocket Lake */
    {0x97, 0, IMMUNE_MMIO | LEAKS(RFDS)}, {0x9a, 0, IMMUNE_MMIO | LEAKS(RFDS)}, /* Alder Lake */
    {0xbe, 0, LEAKS(RFDS)},
    {0xb7, 0, LEAKS(RFDS)}, {0xba, 0, LEAKS(RFDS)}, {0xbf, 0, LEAKS(RFDS)}, /* Raptor Lake */
};
// clang-format on

/* SDM 2A CPUID, figure 3-6. */
static struct identity identify(cpuid_query *query)
{
    struct cpuid_result vendor = query(0, 0);
    uint32_t signature = query(1, 0).eax;
    unsigned family = (unsigned)FIELD(signature, 11, 8), model = (unsigned)FIELD(signature, 7, 4);
    if (family == 6 || family == 15)
        model |= (unsigned)FIELD(signature, 19, 16) << 4;
    if (family == 15)
        family += (unsigned)FIELD(signature, 27, 20);
    return (struct identity){
        .intel = memcmp(&vendor.ebx, "Genu", 4) == 0,
        .amd = memcmp(&vendor.ebx, "Auth", 4) == 0 || memcmp(&vendor.ebx, "Hygo", 4) == 0,
        .family = family,
        .model = model,
        .stepping = (unsigned)FIELD(signature, 3, 0),
    };
}

static uint32_t look_up(const struct identity *cpu)
{
    uint32_t says = 0;
    for (size_t i = 0; i < ARRAY_SIZE(models) && cpu->intel && cpu->family == 6; i++)
        if (models[i].model == cpu->model && cpu->stepping >= models[i].first_stepping)
            says = models[i].says;
    return says;
}

static enum answer yes_if(bool vulnerable)
{
    return vulnerable ? ANSWER_YES : ANSWER_NO;
}

/* Those of Intel's CPUs alone. */
static void read_intel(struct speculation *result, const struct identity *cpu, uint64_t arch,
                       cpuid_query *query)
{
    enum answer *is = result->vulnerable;
    uint32_t says = look_up(cpu);
    bool has_7 = query(0, 0).eax >= 7;
    bool rtm = has_7 && (query(7, 0).ebx & BIT(11)) != 0;
    bool gathers = (query(1, 0).ecx & BIT(28)) != 0; /* AVX */
    bool virtual = (query(1, 0).ecx & BIT(31)) != 0;
    is[VULNERABLE_L1TF] = yes_if((arch & RDCL_NO) == 0 && (says & IMMUNE_L1TF) == 0);
    is[VULNERABLE_MDS] = yes_if((arch & MDS_NO) == 0 && (says & IMMUNE_MDS) == 0);
    is[VULNERABLE_TAA] = yes_if((arch & TAA_NO) == 0 && (rtm || (arch & TSX_CTRL) != 0));
    is[VULNERABLE_MMIO] = (arch & MMIO_NO) == MMIO_NO || (says & IMMUNE_MMIO) != 0 ? ANSWER_NO
                          : (says & LEAKS(MMIO)) != 0                              ? ANSWER_YES
                                                                                   : ANSWER_UNKNOWN;
    is[VULNERABLE_BHI] = (arch & BHI_NO) != 0     ? ANSWER_NO
                         : (arch & IBRS_ALL) != 0 ? ANSWER_YES
                         : virtual                ? ANSWER_UNKNOWN
                                                  : ANSWER_NO;
    is[VULNERABLE_RFDS] =
        yes_if((arch & RFDS_NO) == 0 && ((arch & RFDS_CLEAR) != 0 || (says & LEAKS(RFDS)) != 0));
    /* None of the affected CPUs has BHI_DIS_S. */
    is[VULNERABLE_ITS] =
        yes_if((arch & ITS_NO) == 0 && !result->bhi_control && (says & LEAKS(ITS)) != 0);
    is[VULNERABLE_GDS] = yes_if((arch & GDS_NO) == 0 && (says & LEAKS(GDS)) != 0 && gathers);
    is[VULNERABLE_RETBLEED] = yes_if((says & LEAKS(RETBLEED)) != 0 || (arch & RSBA) != 0);
}

void speculation_read(struct speculation *result, cpuid_query *query, msr_query *read)
{
    const struct identity cpu = identify(query);
    uint32_t highest = query(0, 0).eax, extended = query(0x80000000, 0).eax;
    struct cpuid_result seven = highest >= 7 ? query(7, 0) : (struct cpuid_result){0};
    uint32_t amd_ebx = extended >= 0x80000008 ? query(0x80000008, 0).ebx : 0;
    uint32_t amd_eax = extended >= 0x80000021 ? query(0x80000021, 0).eax : 0;
    uint64_t arch = 0;
    if ((seven.edx & BIT(29)) == 0 || !read(MSR_ARCH_CAPABILITIES, &arch))
        arch = 0;
    *result = (struct speculation){
        .ibpb = (seven.edx & BIT(26)) != 0 || (amd_ebx & BIT(12)) != 0,
        .flush = (seven.edx & BIT(28)) != 0,
        .verw = (seven.edx & BIT(10)) != 0 || (arch & (FB_CLEAR | RFDS_CLEAR)) != 0 ||
                (amd_eax & BIT(5)) != 0,
        .restricted = (arch & IBRS_ALL) != 0 || (amd_eax & BIT(8)) != 0,
        .bhi_control = seven.eax >= 2 && (query(7, 2).edx & BIT(4)) != 0,
        .skips_flush = (arch & SKIP_L1DFL_VMENTRY) != 0,
    };
    if (cpu.intel) {
        read_intel(result, &cpu, arch, query);
        return;
    }
    for (unsigned i = 0; i < VULNERABILITIES; i++)
        result->vulnerable[i] = cpu.amd ? ANSWER_NO : ANSWER_UNKNOWN;
    /* Unless it says BTC_NO. */
    if (cpu.amd)
        result->vulnerable[VULNERABLE_RETBLEED] =
            yes_if(cpu.family >= 0x15 && cpu.family <= 0x18 && (amd_ebx & BIT(29)) == 0);
}

void speculation_restrict(void)
{
    struct speculation cpu;
    uint64_t value;
    speculation_read(&cpu, cpuid, msr_read_safe);
    if (!cpu.restricted)
        return;
    if (memcmp(&(uint32_t){cpuid(0, 0).ebx}, "Genu", 4) != 0)
        (void)!msr_write_safe(MSR_EFER, msr_read(MSR_EFER) | EFER_AUTOMATIC_IBRS);
    else if (msr_read_safe(MSR_SPEC_CTRL, &value)) /* a CPU that refuses it is as it was */
        (void)!msr_write_safe(MSR_SPEC_CTRL,
                              value | SPEC_CTRL_IBRS | (cpu.bhi_control ? SPEC_CTRL_BHI_DIS_S : 0));
}

static void append(char *text, size_t size, bool wanted, const char *word)
{
    size_t used = 0;
    while (text[used] != '\0')
        used++;
    if (wanted)
        (void)format_text(text + used, size - used, "%s%s", used == 0 ? "" : ",", word);
}

/* Each at its place in the line; those that are unknown say so. */
static void name_vulnerabilities(char *text, size_t size, const struct speculation *cpu)
{
    static const char *const names[VULNERABILITIES] = {
        [VULNERABLE_L1TF] = "l1tf", [VULNERABLE_MDS] = "mds", [VULNERABLE_TAA] = "taa",
        [VULNERABLE_MMIO] = "mmio", [VULNERABLE_BHI] = "bhi", [VULNERABLE_RFDS] = "rfds",
        [VULNERABLE_ITS] = "its",   [VULNERABLE_GDS] = "gds", [VULNERABLE_RETBLEED] = "retbleed",
    };
    static const char *const answers[] = {
        [ANSWER_NO] = "no", [ANSWER_YES] = "yes", [ANSWER_UNKNOWN] = "unknown"};
    size_t used = 0;
    for (unsigned i = 0; i < VULNERABILITIES; i++)
        used += format_text(text + used, size - used, "%s%s=%s", i == 0 ? "" : " ", names[i],
                            answers[cpu->vulnerable[i]]);
}

static bool may_be(const struct speculation *cpu, enum vulnerability which)
{
    return cpu->vulnerable[which] != ANSWER_NO;
}

struct speculation_entry speculation_at_entry(const struct speculation *cpu, bool cores_shared)
{
    bool cache_leaks = may_be(cpu, VULNERABLE_L1TF) && !cpu->skips_flush;
    bool buffers_leak = may_be(cpu, VULNERABLE_MDS) || may_be(cpu, VULNERABLE_TAA) ||
                        may_be(cpu, VULNERABLE_MMIO) || may_be(cpu, VULNERABLE_RFDS);
    if (!cores_shared)
        return (struct speculation_entry){0};
    return (struct speculation_entry){
        .cache = cache_leaks && cpu->flush,
        .buffers = buffers_leak && cpu->verw,
        .left = (cache_leaks && !cpu->flush) || (buffers_leak && !cpu->verw),
    };
}

static void log_measures(const struct speculation *cpu, const struct speculation_entry *entry,
                         bool cores_shared)
{
    char vulnerable[160] = "", between[24] = "", at_entry[24] = "", always[24] = "";
    name_vulnerabilities(vulnerable, sizeof vulnerable, cpu);
    append(between, sizeof between, cpu->ibpb, "ibpb");
    append(between, sizeof between, cpu->flush, "l1d");
    append(between, sizeof between, cpu->verw, "verw");
    append(at_entry, sizeof at_entry, entry->cache, "l1d");
    append(at_entry, sizeof at_entry, entry->buffers, "verw");
    append(always, sizeof always, cpu->restricted, "ibrs");
    append(always, sizeof always, cpu->restricted && cpu->bhi_control, "bhi-dis-s");
    log_event("cpu.vulnerable", "%s always=%s between_owners=%s at_entry=%s message=\"%s\"",
              vulnerable, always[0] != '\0' ? always : "none",
              between[0] != '\0' ? between : "none", at_entry[0] != '\0' ? at_entry : "none",
              entry->left
                  ? "guests share physical cores, and this CPU cannot clear what they leave there: "
                    "update its microcode, or write smt = apart in [system]"
              : cores_shared
                  ? "guests share physical cores: what one does while the other runs is not hidden"
                  : "a physical core has one owner; what it leaves there is cleared before the "
                    "next, as far as the CPU can");
}

void speculation_apply(bool cores_shared)
{
    struct speculation cpu;
    speculation_read(&cpu, cpuid, msr_read_safe);
    /* What CPUID lists may still be refused, by a hypervisor below us. */
    cpu.ibpb = cpu.ibpb && msr_write_safe(MSR_PRED_CMD, 1);
    cpu.flush = cpu.flush && msr_write_safe(MSR_FLUSH_CMD, 1);
    core_barriers = (struct core_barriers){cpu.ibpb, cpu.flush, cpu.verw};
    struct speculation_entry entry = speculation_at_entry(&cpu, cores_shared);
    const struct vcpu_setup *setup = vcpu_setup();
    if (setup == NULL || setup->guard_entries == NULL) /* no CPU of this maker needs it */
        entry = (struct speculation_entry){0};
    if (entry.cache || entry.buffers)
        setup->guard_entries(entry.cache);
    log_measures(&cpu, &entry, cores_shared);
}
