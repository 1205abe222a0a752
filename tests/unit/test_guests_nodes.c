/* SPDX-License-Identifier: MIT */
// Making guests: which node their memory comes from.
// SOURCES: hypervisor/setup/guests.c hypervisor/setup/affinity.c hypervisor/setup/nodes.c
// SOURCES: hypervisor/setup/guest_memory.c hypervisor/assign/guest_memory.c
// SOURCES: hypervisor/memory/format_npt.c hypervisor/setup/topology.c
// SOURCES: hypervisor/assign/registry.c hypervisor/memory/frames.c hypervisor/setup/frames.c
// SOURCES: hypervisor/memory/owners.c hypervisor/memory/page_table.c hypervisor/memory/formats.c
// SOURCES: hypervisor/base/format.c hypervisor/base/status.c hypervisor/base/string.c
// SOURCES: hypervisor/base/text.c
#include "tests/unit/support/guests_fixture.h"

/* --- nodes --- */

static void memory_of_the_node_of_the_cores(void **state)
{
    cores = 8; /* 1 to 3 on node 0, 4 to 7 on node 5 */
    nodes(GIB(4));
    guest("zero", GIB(1), 2);
    on_cores(guest("five", GIB(1) + MIB(2), 0), 6, 6);
    on_cores(guest("both", MIB(4), 0), 3, 3);
    guest("whole", MIB(64), 4); /* three cores are left, all on node 5 */
    make();
    assert_int_equal(host_log_count("numa.node", "node=0 cores=0-3 memory=4G special=0"), 1);
    assert_int_equal(host_log_count("numa.node", "node=5 cores=4-7 memory=4G"), 1);
    assert_int_equal(host_log_count("numa.node", "node=2 cores=none memory=4G"), 1);
    assert_int_equal(host_log_count("numa.refused", NULL), 0);
    assert_int_equal(node_of("five"), 5);
    assert_int_equal(node_of("both"), 0);
    assert_int_equal(node_of("zero"), 0);
    assert_int_equal(core_of("zero", 0), 1);
    assert_int_equal(guest_find("zero")->pieces[0].physical % GIB(1), 0);
    assert_int_equal(guest_find("whole")->state, GUEST_REFUSED);
}

static void a_full_node(void **state)
{
    cores = 8;
    nodes(MIB(64));
    on_cores(guest("near", MIB(48), 0), 1, 1);
    on_cores(guest("far", MIB(48), 0), 2, 2);
    on_cores(guest("last", MIB(48), 0), 3, 3);
    guest("lucky", MIB(16), 1); /* cores are left on node 5, and so is memory */
    on_node(on_cores(guest("strict", MIB(48), 0), 5, 5), 5)->node_place =
        (struct config_place){7, 8};
    make();
    assert_int_equal(node_of("near"), 0);
    assert_int_equal(node_of("far"), 5);
    assert_int_equal(node_of("last"), 2);
    assert_int_equal(node_of("lucky"), 5);
    assert_int_equal(host_log_count("guest.memory_far", NULL), 2);
    assert_int_equal(host_log_count("guest.memory_far", "name=far node=0 from=5"), 1);
    assert_int_equal(host_log_count("guest.memory_far", "name=last node=0 from=2"), 1);
    assert_int_equal(host_log_count("guest.refused", "guest=strict line=7 column=8 node=5"), 1);
}

static void a_node_by_name(void **state)
{
    cores = 8;
    nodes(MIB(64));
    guest("any", MIB(4), 1);
    on_node(guest("five", MIB(4), 4), 5);
    on_node(guest("none", MIB(4), 1), 5);
    on_node(guest("nowhere", MIB(4), 1), 1);
    on_node(guest("without", MIB(4), 1), 2);
    on_node(on_cores(guest("apart", MIB(4), 0), 2, 2), 2);
    make();
    assert_int_equal(node_of("five"), 5);
    assert_int_equal(core_of("five", 3), 7);
    assert_int_equal(node_of("any"), 0);
    assert_int_equal(node_of("apart"), 2); /* as it says itself */
    assert_int_equal(host_log_count("guest.refused", "not enough free cores on this node"), 2);
    assert_int_equal(host_log_count("guest.refused", "guest=nowhere"), 1);
    assert_int_equal(host_log_count("guest.refused", "no such node"), 1);
    assert_int_equal(host_log_count("guest.memory_far", NULL), 0);
}

/* Specific-purpose memory, whoever says so, is used when nothing else is left. */
static void special_memory_is_last(void **state)
{
    cores = 6;
    ram(GIB(4), MIB(32), BOOT_MEMORY_USABLE);
    ram(GIB(5), MIB(64), BOOT_MEMORY_SPECIAL);
    ram(GIB(6), MIB(64), BOOT_MEMORY_USABLE);
    for (unsigned i = 0; i < cores; i++)
        srat.cpu[srat.cpu_count++] = (struct srat_cpu){cpus[i].apic_id, 0};
    srat.memory[srat.memory_count++] = (struct srat_memory){GIB(4), GIB(6), 0, false};
    srat.memory[srat.memory_count++] = (struct srat_memory){GIB(6), GIB(7), 0, true};
    guest("first", MIB(16), 1);
    guest("second", MIB(16), 1);
    guest("third", MIB(48), 1);
    on_node(guest("fourth", MIB(48), 1), 0);
    guest("fifth", MIB(48), 1);
    make();
    assert_int_equal(host_log_count("numa.node", "node=0 cores=0-5 memory=32M special=128M"), 1);
    assert_in_range(guest_find("first")->pieces[0].physical, GIB(4), GIB(5) - 1);
    assert_in_range(guest_find("second")->pieces[0].physical, GIB(4), GIB(5) - 1);
    assert_in_range(guest_find("fourth")->pieces[0].physical, GIB(6), GIB(7) - 1);
    assert_in_range(guest_find("third")->pieces[0].physical, GIB(5), GIB(6) - 1);
    assert_int_equal(guest_find("fifth")->state, GUEST_REFUSED);
    assert_int_equal(host_log_count("guest.refused", "memory = 48M does not fit"), 1);
}

/* --- tables that are not as they should be --- */

static void half_a_srat(void **state)
{
    ram(MIB(1), GIB(1), BOOT_MEMORY_USABLE);
    srat.memory[srat.memory_count++] = (struct srat_memory){0, GIB(1), 3, true};
    guest("any", MIB(4), 1);
    on_node(guest("zero", MIB(4), 1), 0);
    on_node(guest("three", MIB(4), 1), 3);
    make();
    assert_int_equal(host_log_count("numa.refused", "cpus=0 memory=1"), 1);
    assert_int_equal(node_of("any"), 0);
    assert_int_equal(node_of("zero"), 0);
    assert_int_equal(host_log_count("guest.refused", "guest=three"), 1);
}

/* A core that the SRAT forgets has no node: any memory is as good. */
static void a_core_without_a_node(void **state)
{
    cores = 4;
    nodes(MIB(64));
    srat.cpu[3].apic_id = 999;
    on_cores(guest("lost", MIB(4), 0), 3, 3);
    make();
    assert_int_equal(node_of("lost"), 5);
    assert_int_equal(host_log_count("guest.memory_far", NULL), 0);
    /* The MADT has core 3, the SRAT a processor that nobody has seen: both are said. */
    assert_int_equal(host_log_count("numa.refused", "cores=3 message="), 1);
    assert_int_equal(host_log_count("numa.refused", "cpus=1 message="), 1);
    assert_int_equal(host_log_count("numa.refused", NULL), 2);
}

static void more_pieces_than_fit(void **state)
{
    nodes(MIB(64));
    boot.range_count = 0;
    ram(MIB(1), GIB(1), BOOT_MEMORY_USABLE);
    while (boot.range_count < BOOT_MAX_RANGES)
        ram(GIB(8) + boot.range_count * MIB(4), MIB(2), BOOT_MEMORY_SPECIAL);
    guest("any", MIB(4), 1);
    make();
    assert_int_equal(host_log_count("numa.refused", "more pieces of memory"), 1);
    assert_int_equal(guest_find("any")->state, GUEST_CREATED);
    assert_true(guest_find("any")->pieces[0].physical < GIB(2));
}

static void no_memory_for_records(void **state)
{
    ram(MIB(1), GIB(1), BOOT_MEMORY_USABLE);
    guest("one", MIB(4), 1);
    guest("two", MIB(4), 1);
    host_pages_limit(1);
    make();
    host_pages_limit(SIZE_MAX);
    assert_int_equal(guest_table.count, 1);
    assert_int_equal(guest_find("one")->state, GUEST_REFUSED);
    assert_int_equal(host_log_count("guest.refused", "guest=two"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(memory_of_the_node_of_the_cores),
        TEST(a_full_node),
        TEST(a_node_by_name),
        TEST(special_memory_is_last),
        TEST(half_a_srat),
        TEST(a_core_without_a_node),
        TEST(more_pieces_than_fit),
        TEST(no_memory_for_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
