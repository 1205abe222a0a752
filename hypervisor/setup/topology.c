/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/topology.h"

#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"

#define LEAF_FEATURES      0x01
#define LEAF_CACHES        0x04
#define LEAF_TOPOLOGY      0x0b
#define LEAF_TOPOLOGY_V2   0x1f
#define LEAF_EXTENDED_MAX  0x80000000
#define LEAF_AMD_FEATURES  0x80000001
#define LEAF_AMD_CACHES    0x8000001d
#define LEAF_AMD_TOPOLOGY  0x8000001e
#define FEATURES_EDX_HTT   BIT(28)
#define FEATURES_TOPOEXT   BIT(22) /* 80000001h ECX: leaves 8000001Dh and 8000001Eh */
#define LEVEL_END          0
#define LEVEL_THREADS      1
#define LEVELS_MAX         8  /* six are defined */
#define ALL_BITS           32 /* nothing tells two ids apart */
#define DOUBTS_LOGGED      8
#define CACHE_NONE         0
#define CACHE_INSTRUCTIONS 2

enum source { SOURCE_NONE, SOURCE_V2, SOURCE_V1, SOURCE_AMD, SOURCE_CACHES, SOURCE_ALONE };

/* What CPUID said on each core. */
static struct known {
    bool noted;
    uint8_t source;
    uint8_t bits; /* the lowest of the APIC id, which number threads of one core */
    uint32_t apic_id;
    const char *doubt; /* NULL: nothing contradicts it */
} known[CPU_MAX];

/* One leaf with a list of levels. */
struct levels {
    bool there, sound;
    unsigned thread_bits; /* 0 without a level of threads: one a core */
    unsigned threads;     /* how many that level says there are */
    uint32_t id;
};

/* How many bits number `count` things. */
static unsigned bits_for(unsigned count)
{
    unsigned bits = 0;
    while (bits < ALL_BITS && (UINT64_C(1) << bits) < count)
        bits++;
    return bits;
}

/* A leaf that lists no level counts as absent: emulators with one thread and one core a package
 * have that. */
static struct levels read_levels(uint32_t leaf, uint32_t highest, cpuid_query *query)
{
    struct levels levels = {.sound = true};
    unsigned last_bits = 0, last_type = 0;
    for (uint32_t i = 0; leaf <= highest && i < LEVELS_MAX; i++) {
        struct cpuid_result level = query(leaf, i);
        unsigned type = (unsigned)FIELD(level.ecx, 15, 8), bits = level.eax & 0x1f;
        if (type == LEVEL_END || level.ebx == 0)
            break;
        if (levels.there && level.edx != levels.id)
            levels.sound = false;
        if (type <= last_type || bits < last_bits)
            levels.sound = false;
        if (type == LEVEL_THREADS) {
            levels.thread_bits = bits;
            levels.threads = level.ebx & 0xffff;
            levels.sound = levels.sound && bits_for(levels.threads) <= bits;
        }
        levels.there = true;
        levels.id = level.edx;
        last_type = type;
        last_bits = bits;
    }
    return levels;
}

/* How many bits number the threads that share the first data cache; 0 when nothing tells. */
static unsigned cache_bits(uint32_t leaf, cpuid_query *query)
{
    for (uint32_t i = 0; i < LEVELS_MAX; i++) {
        struct cpuid_result cache = query(leaf, i);
        unsigned type = cache.eax & 0x1f;
        if (type == CACHE_NONE)
            break;
        if (FIELD(cache.eax, 7, 5) == 1 && type != CACHE_INSTRUCTIONS)
            return bits_for((unsigned)FIELD(cache.eax, 25, 14) + 1);
    }
    return 0;
}

static void doubt(struct known *core, unsigned bits, const char *why)
{
    if (core->doubt == NULL || bits > core->bits)
        core->doubt = why;
    core->bits = (uint8_t)MAX((unsigned)core->bits, bits);
}

/* Its package has one APIC id. Not what a CPU with several can say: 0 may be 256. */
static bool is_alone(cpuid_query *query)
{
    struct cpuid_result features = query(LEAF_FEATURES, 0);
    return (features.edx & FEATURES_EDX_HTT) == 0 || FIELD(features.ebx, 23, 16) == 1;
}

/* Before the leaves that list levels. */
static void read_old_leaves(struct known *core, bool amd, bool amd_leaves, uint32_t highest,
                            cpuid_query *query)
{
    struct cpuid_result features = query(LEAF_FEATURES, 0);
    unsigned threads = (unsigned)FIELD(features.ebx, 23, 16), cores = 1;
    core->source = SOURCE_ALONE;
    if (amd && amd_leaves) {
        core->source = SOURCE_AMD;
        core->bits = (uint8_t)bits_for((unsigned)FIELD(query(LEAF_AMD_TOPOLOGY, 0).ebx, 15, 8) + 1);
    } else if (!amd && !is_alone(query)) {
        core->source = SOURCE_CACHES;
        if (highest >= LEAF_CACHES)
            cores = (unsigned)FIELD(query(LEAF_CACHES, 0).eax, 31, 26) + 1;
        if (bits_for(threads) < bits_for(cores))
            doubt(core, ALL_BITS, "leaf 1 has fewer threads in a package than leaf 4 has cores");
        else
            core->bits = (uint8_t)(bits_for(threads) - bits_for(cores));
    } /* AMD's CPUs without these leaves have one thread a core */
}

static void check_caches(struct known *core, bool amd, bool amd_leaves, uint32_t highest,
                         cpuid_query *query)
{
    unsigned shared = 0;
    if (is_alone(query))
        return; /* whatever CPU the caches' leaf was made for */
    if (amd ? amd_leaves : highest >= LEAF_CACHES)
        shared = cache_bits(amd ? LEAF_AMD_CACHES : LEAF_CACHES, query);
    if (shared > core->bits)
        doubt(core, shared, "the first data cache is shared by more threads than the core has");
}

void topology_note(unsigned index, uint32_t apic_id, uint32_t listed, cpuid_query *query)
{
    struct known *core = &known[index];
    struct cpuid_result vendor = query(0, 0);
    uint32_t highest = vendor.eax, extended = query(LEAF_EXTENDED_MAX, 0).eax;
    bool amd = memcmp(&vendor.ebx, "Auth", 4) == 0 || memcmp(&vendor.ebx, "Hygo", 4) == 0;
    bool amd_leaves = amd && extended >= LEAF_AMD_TOPOLOGY &&
                      (query(LEAF_AMD_FEATURES, 0).ecx & FEATURES_TOPOEXT) != 0;
    const struct levels v2 = read_levels(LEAF_TOPOLOGY_V2, highest, query);
    const struct levels v1 = read_levels(LEAF_TOPOLOGY, highest, query);
    const struct levels *used = v2.there ? &v2 : &v1;

    *core = (struct known){.noted = true, .apic_id = apic_id};
    if (is_alone(query) && used->threads <= 1) {
        core->source = SOURCE_ALONE; /* Bochs keeps a bit for threads that there are none of */
    } else if (used->there) {
        core->source = v2.there ? SOURCE_V2 : SOURCE_V1;
        core->bits = (uint8_t)used->thread_bits;
    } else {
        read_old_leaves(core, amd, amd_leaves, highest, query);
    }
    check_caches(core, amd, amd_leaves, highest, query);
    if (v2.there && v1.there && v2.thread_bits != v1.thread_bits)
        doubt(core, v1.thread_bits, "leaves 1Fh and 0Bh differ about the threads of a core");
    if (!v2.sound || !v1.sound)
        doubt(core, ALL_BITS, "the levels of leaf 1Fh or 0Bh contradict each other");
    if ((v2.there && v2.id != apic_id) || (v1.there && v1.id != apic_id))
        doubt(core, ALL_BITS, "CPUID and the APIC differ about the APIC id");
    if (listed != apic_id)
        doubt(core, ALL_BITS, "the MADT and the APIC differ about the APIC id");
}

bool topology_may_share(unsigned core, unsigned other)
{
    const struct known *one = &known[core], *two = &known[other];
    unsigned bits = MAX(one->bits, two->bits);
    return !one->noted || !two->noted ||
           ((uint64_t)one->apic_id >> bits) == ((uint64_t)two->apic_id >> bits);
}

/* It is the first thread of its core. */
static bool is_first(unsigned core)
{
    for (unsigned other = 0; other < core; other++)
        if (topology_may_share(core, other))
            return false;
    return true;
}

bool topology_has_threads(void)
{
    for (unsigned core = 1; core < cpu_count(); core++)
        if (!is_first(core))
            return true;
    return false;
}

/* Two of the same id cannot be told apart. */
static void check_ids(void)
{
    for (unsigned core = 0; core < cpu_count(); core++)
        for (unsigned other = 0; other < core; other++)
            if (known[core].apic_id == known[other].apic_id)
                doubt(&known[core], ALL_BITS, "another core has the same APIC id");
}

void topology_log(void)
{
    static const char *const sources[] = {
        [SOURCE_NONE] = "none",         [SOURCE_V2] = "leaf-1f",    [SOURCE_V1] = "leaf-0b",
        [SOURCE_AMD] = "leaf-8000001e", [SOURCE_CACHES] = "leaf-4", [SOURCE_ALONE] = "leaf-1",
    };
    unsigned physical = 0, doubts = 0;
    check_ids();
    for (unsigned core = 0; core < cpu_count(); core++) {
        physical += is_first(core);
        if (known[core].doubt == NULL || doubts++ >= DOUBTS_LOGGED)
            continue;
        log_event("cpu.topology_doubt",
                  "core=%u apic=%u bits=%u message=\"%s; it counts as a thread of %s\"", core,
                  known[core].apic_id, known[core].bits, known[core].doubt,
                  known[core].bits >= ALL_BITS ? "every core" : "all cores that it may belong to");
    }
    log_event("cpu.topology", "cores=%u threads=%u source=%s doubts=%u", physical, cpu_count(),
              sources[known[0].source], doubts);
}
