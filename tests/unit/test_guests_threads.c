/* SPDX-License-Identifier: MIT */
// Making guests where cores have several threads: who shares a physical core with whom.
// SOURCES: hypervisor/setup/guests.c hypervisor/setup/affinity.c hypervisor/setup/nodes.c
// SOURCES: hypervisor/setup/guest_memory.c hypervisor/assign/guest_memory.c
// SOURCES: hypervisor/memory/format_npt.c hypervisor/setup/topology.c
// SOURCES: hypervisor/assign/registry.c hypervisor/memory/frames.c hypervisor/setup/frames.c
// SOURCES: hypervisor/memory/owners.c hypervisor/memory/page_table.c hypervisor/memory/formats.c
// SOURCES: hypervisor/base/format.c hypervisor/base/status.c hypervisor/base/string.c
// SOURCES: hypervisor/base/text.c
#include "tests/unit/support/guests_fixture.h"

/* Two threads a core, beside each other in the MADT; core 0's is core 1. */
static void threads(unsigned count)
{
    cores = count;
    thread_bits = 1;
    for (unsigned i = 0; i < CPU_MAX; i++)
        cpus[i].apic_id = i;
    ram(MIB(1), GIB(1), BOOT_MEMORY_USABLE);
}

static void refused(const char *name, const char *why)
{
    char start[64];
    snprintf(start, sizeof start, "guest=%s ", name);
    assert_int_equal(guest_find(name)->state, GUEST_REFUSED);
    assert_int_equal(host_log_count("guest.refused", start), 1);
    assert_int_equal(host_log_count("guest.refused", why), 1);
}

static void no_two_guests_on_a_core(void **state)
{
    threads(8);
    guest("one", MIB(4), 1);
    guest("two", MIB(4), 2);
    guest("three", MIB(4), 1);
    guest("four", MIB(4), 1);
    make();
    assert_int_equal(core_of("one", 0), 2);
    assert_int_equal(core_of("two", 0), 4); /* both threads of one core */
    assert_int_equal(core_of("two", 1), 5);
    assert_int_equal(core_of("three", 0), 6);
    refused("four", "smt = shared");
    assert_int_equal(host_log_count("cpu.smt", "policy=apart idle=1,3,7"), 1);
    assert_false(affinity_guests_share());
}

static void shared_if_the_configuration_says_so(void **state)
{
    threads(4);
    config.smt_shared = true;
    guest("one", MIB(4), 1);
    guest("two", MIB(4), 1);
    on_cores(guest("three", MIB(4), 0), 3, 3);
    guest("four", MIB(4), 1);
    make();
    assert_int_equal(core_of("one", 0), 1);
    assert_int_equal(core_of("two", 0), 2);
    assert_int_equal(core_of("three", 0), 3);
    refused("four", "core 0 is the hypervisor's");
    assert_int_equal(host_log_count("cpu.smt", "policy=shared idle=none"), 1);
    assert_true(affinity_guests_share());
}

/* All first threads come before all second ones in many MADTs: 0 4, 1 5, 2 6, 3 7. */
static void second_threads_listed_last(void **state)
{
    threads(8);
    for (unsigned i = 0; i < 8; i++)
        cpus[i].apic_id = 2 * (i % 4) + i / 4;
    guest("two", MIB(4), 3);
    on_cores(guest("named", MIB(4), 0), 7, 7);
    make();
    assert_int_equal(core_of("named", 0), 7);
    assert_int_equal(core_of("two", 0), 1);
    assert_int_equal(core_of("two", 1), 5);
    assert_int_equal(core_of("two", 2), 2);
    assert_int_equal(host_log_count("cpu.smt", "idle=3-4,6"), 1);
}

static void cores_by_name(void **state)
{
    threads(8);
    on_cores(guest("control", MIB(4), 0), 1, 1)->cores_place = (struct config_place){7, 9};
    on_cores(guest("both", MIB(4), 0), 2, 3);
    on_cores(guest("half", MIB(4), 0), 5, 5);
    on_cores(guest("other", MIB(4), 0), 4, 4);
    on_cores(guest("same", MIB(4), 0), 2, 2);
    make();
    refused("control", "line=7 column=9 core=1 status=denied message=\"it is a thread of the "
                       "physical core that core 0");
    assert_int_equal(guest_find("both")->cpu_count, 2);
    assert_int_equal(core_of("half", 0), 5);
    refused("other", "core=4 status=denied message=\"it is a thread of a physical core of guest "
                     "half's");
    refused("same", "the core is guest both's");
}

/* A guest that is refused later leaves its physical core to others. */
static void given_back(void **state)
{
    threads(4);
    on_cores(guest("gone", MIB(4), 0), 2, 2);
    missing_image = "gone.elf";
    guest("next", MIB(4), 2);
    make();
    assert_int_equal(core_of("next", 0), 2);
    assert_int_equal(core_of("next", 1), 3);
}

static void too_few_on_the_node(void **state)
{
    cores = 8;
    thread_bits = 1;
    for (unsigned i = 0; i < CPU_MAX; i++)
        cpus[i].apic_id = i;
    nodes(MIB(64));
    on_node(guest("wide", MIB(4), 3), 0);
    on_node(guest("fits", MIB(4), 2), 0);
    make();
    refused("wide", "column=0 node=0 status=full message=\"not enough cores: those that are left");
    assert_int_equal(core_of("fits", 0), 2);
    assert_int_equal(core_of("fits", 1), 3);
}

/* What is not known counts as shared: no guest gets a part of it beside another one. */
static void a_core_that_was_never_noted(void **state)
{
    threads(4);
    thread_bits = 0;
    guest("one", MIB(4), 1);
    make();
    assert_int_equal(core_of("one", 0), 1);
    assert_true(topology_may_share(1, CPU_MAX - 1));
}

/* With one thread a core nothing changes, and nothing is said. */
static void one_thread_a_core(void **state)
{
    ram(MIB(1), GIB(1), BOOT_MEMORY_USABLE);
    guest("one", MIB(4), 1);
    guest("two", MIB(4), 2);
    make();
    assert_int_equal(core_of("one", 0), 1);
    assert_int_equal(core_of("two", 1), 3);
    assert_int_equal(host_log_count("cpu.smt", NULL), 0);
    assert_false(affinity_guests_share());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_two_guests_on_a_core),
        TEST(shared_if_the_configuration_says_so),
        TEST(second_threads_listed_last),
        TEST(cores_by_name),
        TEST(given_back),
        TEST(too_few_on_the_node),
        TEST(a_core_that_was_never_noted),
        TEST(one_thread_a_core),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
