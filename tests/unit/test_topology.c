/* SPDX-License-Identifier: MIT */
// Threads and cores by CPUID, with leaves as real and emulated CPUs have them, and contradictions.
// SOURCES: hypervisor/setup/topology.c hypervisor/base/format.c hypervisor/base/string.c
// SOURCES: hypervisor/base/text.c
#include <string.h>

#include "hypervisor/setup/topology.h"
#include "tests/unit/support/host.h"

static unsigned cores;

unsigned cpu_count(void)
{
    return cores;
}

/* Leaves by number and subleaf; what is not there is 0. */
static struct row {
    uint32_t leaf, subleaf;
    struct cpuid_result result;
} rows[32];
static unsigned row_count;
static struct cpuid_result fallback; /* leaf 1, where the test has none */
static uint32_t id;                  /* in EDX of leaves 0Bh and 1Fh */

static struct cpuid_result query(uint32_t leaf, uint32_t subleaf)
{
    for (unsigned i = 0; i < row_count; i++) {
        if (rows[i].leaf != leaf || rows[i].subleaf != subleaf)
            continue;
        struct cpuid_result result = rows[i].result;
        if (leaf == 0xb || leaf == 0x1f)
            result.edx += id;
        return result;
    }
    if (leaf == 1)
        return fallback;
    return (struct cpuid_result){.edx = leaf == 0xb || leaf == 0x1f ? id : 0};
}

static void set(uint32_t leaf, uint32_t subleaf, uint32_t eax, uint32_t ebx, uint32_t ecx,
                uint32_t edx)
{
    rows[row_count++] = (struct row){leaf, subleaf, {eax, ebx, ecx, edx}};
}

#define THREADS 0x100u
#define CORES   0x200u
#define DIES    0x500u
#define HTT     (1u << 28)

static void intel(uint32_t highest)
{
    row_count = 0;
    fallback = (struct cpuid_result){.ebx = 16 << 16, .edx = HTT};
    set(0, 0, highest, 0x756e6547, 0, 0);
    set(0x80000000, 0, 0x80000008, 0, 0, 0);
}

static void amd(uint32_t highest, bool topoext)
{
    row_count = 0;
    set(0, 0, highest, 0x68747541, 0, 0);
    set(0x80000000, 0, 0x8000001f, 0, 0, 0);
    set(0x80000001, 0, 0, 0, topoext ? 1u << 22 : 0, 0);
}

/* The same leaves on each of `count` cores, with ids from 0 on. */
static void note(unsigned count)
{
    cores = count;
    for (unsigned core = 0; core < count; core++) {
        id = core;
        topology_note(core, core, core, query);
    }
    host_log_clear();
    topology_log();
}

static void expect(const char *line, unsigned doubts)
{
    assert_int_equal(host_log_count("cpu.topology", line), 1);
    assert_int_equal(host_log_count("cpu.topology_doubt", NULL), doubts);
}

static void leaf_1f(void **state)
{
    intel(0x1f);
    set(1, 0, 0, 16 << 16, 0, HTT);
    set(4, 0, 0x1c000000 | 1 << 14 | 1 << 5 | 1, 0, 0, 0);
    set(0x1f, 0, 1, 2, THREADS, 0);
    set(0x1f, 1, 3, 8, CORES | 1, 0);
    set(0x1f, 2, 5, 16, DIES | 2, 0);
    set(0xb, 0, 1, 2, THREADS, 0);
    set(0xb, 1, 5, 16, CORES | 1, 0);
    note(16);
    expect("cores=8 threads=16 source=leaf-1f doubts=0", 0);
    assert_true(topology_has_threads());
    assert_true(topology_may_share(2, 3) && topology_may_share(3, 2));
    assert_false(topology_may_share(1, 2));
    assert_false(topology_may_share(0, 8));
}

static void leaf_0b(void **state)
{
    intel(0xb);
    set(1, 0, 0, 8 << 16, 0, HTT);
    set(0xb, 0, 2, 4, THREADS, 0); /* four threads a core: Xeon Phi */
    set(0xb, 1, 8, 8, CORES | 1, 0);
    note(8);
    expect("cores=2 threads=8 source=leaf-0b doubts=0", 0);
    assert_true(topology_may_share(4, 7));
    assert_false(topology_may_share(3, 4));
}

/* Hyper-threading off in the firmware's set-up: ids keep their bit, and only every other is there.
 */
static void threads_off(void **state)
{
    intel(0xb);
    set(1, 0, 0, 8 << 16, 0, HTT);
    set(4, 0, 1 << 14 | 1 << 5 | 1, 0, 0, 0);
    set(0xb, 0, 1, 1, THREADS, 0);
    set(0xb, 1, 4, 4, CORES | 1, 0);
    cores = 4;
    for (unsigned core = 0; core < cores; core++) {
        id = 2 * core;
        topology_note(core, id, id, query);
    }
    host_log_clear();
    topology_log();
    expect("cores=4 threads=4", 0);
    assert_false(topology_has_threads());
}

/* E-cores have one thread, P-cores of the same CPU two. */
static void hybrid(void **state)
{
    cores = 4;
    for (unsigned core = 0; core < cores; core++) {
        intel(0x1f);
        set(0x1f, 0, core < 2 ? 1 : 0, core < 2 ? 2 : 1, THREADS, 0);
        set(0x1f, 1, 6, 4, CORES | 1, 0);
        id = core;
        topology_note(core, id, id, query);
    }
    host_log_clear();
    topology_log();
    expect("cores=3 threads=4", 0);
    assert_true(topology_may_share(0, 1));
    assert_false(topology_may_share(2, 3));
}

static void leaf_4(void **state)
{
    intel(4);
    set(1, 0, 0, 8 << 16, 0, HTT);
    set(4, 0, 3u << 26 | 1 << 14 | 1 << 5 | 1, 0, 0, 0);
    note(8);
    expect("cores=4 threads=8 source=leaf-4", 0);
    intel(2); /* two threads, and no leaf about cores */
    set(1, 0, 0, 2 << 16, 0, HTT);
    note(2);
    expect("cores=1 threads=2 source=leaf-4", 0);
    intel(4); /* the cache's leaf was made for another machine */
    set(1, 0, 0, 1 << 16, 0, 0);
    set(4, 0, 3u << 26 | 1 << 14 | 1 << 5 | 1, 0, 0, 0);
    note(4);
    expect("cores=4 threads=4 source=leaf-1", 0);
}

static void amd_leaves(void **state)
{
    amd(0xd, true);
    set(1, 0, 0, 4 << 16, 0, HTT);
    set(0x8000001e, 0, 0, 1 << 8, 0, 0);
    set(0x8000001d, 0, 1 << 14 | 1 << 5 | 1, 0, 0, 0);
    note(4);
    expect("cores=2 threads=4 source=leaf-8000001e", 0);
    amd(0xd, false);
    set(1, 0, 0, 4 << 16, 0, HTT);
    set(4, 0, 1 << 14 | 1 << 5 | 1, 0, 0, 0); /* reserved on AMD's */
    note(4);
    expect("cores=4 threads=4 source=leaf-1", 0);
}

/* Bochs, with as many packages as CPUs, keeps a bit of the id for threads; an older one lists no
 * level. */
static void one_cpu_a_package(void **state)
{
    intel(0xb);
    set(1, 0, 0, 1 << 16, 0, HTT);
    set(4, 0, 1 << 14 | 1 << 5 | 1, 0, 0, 0);
    set(0xb, 0, 1, 1, THREADS, 0);
    set(0xb, 1, 1, 1, CORES | 1, 0);
    set(0xb, 2, 2, 4, 0x302, 0);
    note(4);
    expect("cores=4 threads=4 source=leaf-1", 0);
    intel(0xb);
    set(1, 0, 0, 1 << 16, 0, 0);
    set(0xb, 0, 2, 4, 0, 0);
    note(4);
    expect("cores=4 threads=4 source=leaf-1", 0);
}

/* 256 of them are 0 in eight bits: that is not one. */
static void more_than_leaf_1_can_say(void **state)
{
    intel(0xb);
    set(1, 0, 0, 0, 0, HTT);
    set(0xb, 0, 1, 2, THREADS, 0);
    set(0xb, 1, 8, 256, CORES | 1, 0);
    note(256);
    expect("cores=128 threads=256 source=leaf-0b", 0);
    intel(0xb); /* and one package of one CPU that has two threads is none */
    set(1, 0, 0, 1 << 16, 0, HTT);
    set(0xb, 0, 1, 2, THREADS, 0);
    set(0xb, 1, 4, 8, CORES | 1, 0);
    note(4);
    expect("cores=2 threads=4 source=leaf-0b", 0);
}

/* Bochs again: what it says of cores cannot be, but does not touch the threads. */
static void too_many_cores(void **state)
{
    intel(0xb);
    set(1, 0, 0, 4 << 16, 0, HTT);
    set(0xb, 0, 1, 2, THREADS, 0);
    set(0xb, 1, 1, 4, CORES | 1, 0);
    note(4);
    expect("cores=2 threads=4 source=leaf-0b doubts=0", 0);
}

static void leaves_that_differ(void **state)
{
    intel(0x1f);
    set(0x1f, 0, 0, 1, THREADS, 0);
    set(0x1f, 1, 4, 8, CORES | 1, 0);
    set(0xb, 0, 1, 2, THREADS, 0);
    set(0xb, 1, 4, 8, CORES | 1, 0);
    note(8);
    expect("cores=4 threads=8 source=leaf-1f doubts=8", 8);
    assert_true(topology_may_share(2, 3));
    assert_false(topology_may_share(1, 2));
}

static void a_cache_of_more_threads(void **state)
{
    intel(0xb);
    set(1, 0, 0, 8 << 16, 0, HTT);
    set(4, 0, 1 << 14 | 1 << 5 | 2, 0, 0, 0); /* instructions: does not count */
    set(4, 1, 3 << 14 | 1 << 5 | 1, 0, 0, 0);
    set(0xb, 0, 1, 2, THREADS, 0);
    set(0xb, 1, 4, 8, CORES | 1, 0);
    note(8);
    expect("cores=2 threads=8", 8);
    assert_true(topology_may_share(0, 3));
}

static void levels_out_of_order(void **state)
{
    static const struct cpuid_result first[] = {
        {1, 2, CORES, 0},    /* the second level is of a lower kind */
        {5, 2, THREADS, 0},  /* the second level has fewer bits */
        {1, 4, THREADS, 0},  /* more threads than ids */
        {1, 2, THREADS, 99}, /* another id than in the second level */
    };
    for (size_t i = 0; i < ARRAY_SIZE(first); i++) {
        intel(0xb);
        set(0xb, 0, first[i].eax, first[i].ebx, first[i].ecx, first[i].edx);
        set(0xb, 1, 4, 8, i == 0 ? THREADS : CORES, 0);
        note(4);
        assert_int_equal(host_log_count("cpu.topology_doubt", NULL), 4);
        assert_int_equal(host_log_count("cpu.topology_doubt", "every core"), 4);
        assert_true(topology_may_share(0, 3));
    }
}

/* Only the core itself is under suspicion: the others are told apart as before. */
static void an_apic_of_another_id(void **state)
{
    intel(0xb);
    set(0xb, 0, 1, 2, THREADS, 0);
    set(0xb, 1, 4, 8, CORES | 1, 0);
    note(6);
    id = 4;
    topology_note(4, 40, 40, query);
    id = 5;
    topology_note(5, 5, 7, query);
    host_log_clear();
    topology_log();
    assert_int_equal(host_log_count("cpu.topology_doubt", NULL), 2);
    assert_int_equal(host_log_count("cpu.topology_doubt", "core=4 apic=40 bits=32"), 1);
    assert_int_equal(host_log_count("cpu.topology_doubt", "core=5 apic=5 bits=32"), 1);
    for (unsigned core = 0; core < 4; core++)
        assert_true(topology_may_share(core, 4) && topology_may_share(5, core));
    assert_false(topology_may_share(1, 2));
}

static void the_same_id_twice(void **state)
{
    intel(0xb);
    set(0xb, 0, 0, 1, THREADS, 0);
    set(0xb, 1, 4, 8, CORES | 1, 0);
    note(4);
    id = 2;
    topology_note(3, 2, 2, query);
    host_log_clear();
    topology_log();
    assert_int_equal(host_log_count("cpu.topology_doubt", "core=3"), 1);
    assert_true(topology_may_share(3, 0));
    assert_false(topology_may_share(0, 1));
}

static void more_cores_than_threads(void **state)
{
    intel(4);
    set(1, 0, 0, 2 << 16, 0, HTT);
    set(4, 0, 7u << 26 | 1 << 5 | 1, 0, 0, 0);
    note(2);
    assert_int_equal(host_log_count("cpu.topology_doubt", "fewer threads"), 2);
}

/* A leaf that never ends is left after eight levels. */
static void a_leaf_without_end(void **state)
{
    intel(0xb);
    for (unsigned i = 0; i < 20; i++)
        set(0xb, i, 1 + i, 2, THREADS * (1 + i), 0);
    note(4);
    expect("cores=2 threads=4", 0);
}

/* Sixteen doubtful cores are not sixteen lines. */
static void few_lines(void **state)
{
    intel(0xb);
    set(0xb, 0, 1, 9, THREADS, 0);
    note(16);
    expect("doubts=16", 8);
}

static void ids_above_255(void **state)
{
    intel(0x1f);
    set(0x1f, 0, 1, 2, THREADS, 0);
    set(0x1f, 1, 16, 288, CORES | 1, 0);
    note(288);
    expect("cores=144 threads=288", 0);
    assert_true(topology_may_share(286, 287));
    assert_false(topology_may_share(0, 256));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaf_1f),
        cmocka_unit_test(leaf_0b),
        cmocka_unit_test(threads_off),
        cmocka_unit_test(hybrid),
        cmocka_unit_test(leaf_4),
        cmocka_unit_test(amd_leaves),
        cmocka_unit_test(one_cpu_a_package),
        cmocka_unit_test(more_than_leaf_1_can_say),
        cmocka_unit_test(too_many_cores),
        cmocka_unit_test(leaves_that_differ),
        cmocka_unit_test(a_cache_of_more_threads),
        cmocka_unit_test(levels_out_of_order),
        cmocka_unit_test(an_apic_of_another_id),
        cmocka_unit_test(the_same_id_twice),
        cmocka_unit_test(more_cores_than_threads),
        cmocka_unit_test(a_leaf_without_end),
        cmocka_unit_test(few_lines),
        cmocka_unit_test(ids_above_255),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
