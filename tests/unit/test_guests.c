/* SPDX-License-Identifier: MIT */
// Making guests: which cores each gets, up to as many as there can be.
// SOURCES: hypervisor/setup/guests.c hypervisor/setup/affinity.c hypervisor/setup/nodes.c
// SOURCES: hypervisor/setup/guest_memory.c hypervisor/assign/guest_memory.c
// SOURCES: hypervisor/memory/format_npt.c hypervisor/setup/topology.c
// SOURCES: hypervisor/assign/registry.c hypervisor/memory/frames.c hypervisor/setup/frames.c
// SOURCES: hypervisor/memory/owners.c hypervisor/memory/page_table.c hypervisor/memory/formats.c
// SOURCES: hypervisor/base/format.c hypervisor/base/status.c hypervisor/base/string.c
// SOURCES: hypervisor/base/text.c
#include "tests/unit/support/guests_fixture.h"

/* --- as many as there can be --- */

/* What each more takes is the same, and the work does not grow with those that are there. */
static void sixty_four_guests(void **state)
{
    static char name[8];
    size_t pages[GUEST_MAX + 1] = {0};
    unsigned work[GUEST_MAX + 1] = {0};
    assert_int_equal(GUEST_MAX, 64);
    for (unsigned count = 1; count <= GUEST_MAX; count++) {
        fresh(NULL);
        cores = GUEST_MAX + 1;
        ram(MIB(1), GIB(1), BOOT_MEMORY_USABLE);
        for (unsigned i = 0; i < count; i++) {
            snprintf(name, sizeof name, "g%u", i);
            device(guest(name, MIB(4), 1), i);
        }
        looks = 0;
        make();
        pages[count] = pages_in_use();
        work[count] = looks;
        assert_int_equal(host_log_count("guest.created", "devices=1"), count);
        remove_guests();
    }
    for (unsigned count = 2; count <= GUEST_MAX; count++) {
        assert_int_equal(pages[count] - pages[count - 1], pages[1]);
        /* Each core is looked at a few times, however many guests there are. */
        assert_true(work[count] - work[count - 1] <= 10 * cores);
    }
    for (unsigned count = 1; count <= GUEST_MAX; count++) /* tests/bench/scale.py reads this */
        print_message("guests=%u bytes=%zu looks=%u\n", count, pages[count] * PAGE_SIZE,
                      work[count]);
}

static void sixty_four_vcpus(void **state)
{
    cores = 66;
    ram(MIB(1), GIB(1), BOOT_MEMORY_USABLE);
    guest("wide", MIB(64), GUEST_MAX_CPUS);
    guest("last", MIB(4), 1);
    guest("none", MIB(4), 1);
    make();
    assert_int_equal(GUEST_MAX_CPUS, 64);
    assert_int_equal(guest_find("wide")->cpu_count, 64);
    for (unsigned i = 0; i < GUEST_MAX_CPUS; i++) {
        assert_int_equal(core_of("wide", i), i + 1);
        assert_int_equal(guest_find("wide")->vcpus[i]->apic_id, 2 * (i + 1));
    }
    assert_int_equal(core_of("last", 0), 65);
    assert_int_equal(host_log_count("guest.created", "cores=1-64 node=0"), 1);
    assert_int_equal(host_log_count("guest.refused", "guest=none line=3 status=full"), 1);
}

static void sixty_four_functions(void **state)
{
    static char name[8];
    cores = 9;
    ram(MIB(1), GIB(1), BOOT_MEMORY_USABLE);
    for (unsigned i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "g%u", i);
        struct config_guest *its = guest(name, MIB(4), 1);
        for (unsigned n = 0; n < GUEST_MAX_FUNCTIONS; n++)
            device(its, i * GUEST_MAX_FUNCTIONS + n);
    }
    make();
    assert_int_equal(host_log_count("guest.created", "devices=8"), 8);
    for (unsigned i = 0; i < FUNCTIONS; i++)
        assert_int_equal(functions[i].owner, OWNER_GUEST(i / GUEST_MAX_FUNCTIONS));
}

/* --- cores --- */

static void named_cores_come_first(void **state)
{
    cores = 8;
    ram(MIB(1), GIB(1), BOOT_MEMORY_USABLE);
    guest("any", MIB(4), 3);
    struct config_guest *its = on_cores(guest("named", MIB(4), 0), 7, 7);
    on_cores(its, 1, 2);
    make();
    static const unsigned cores_of_any[] = {3, 4, 5}, cores_of_named[] = {7, 1, 2};
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(core_of("any", i), cores_of_any[i]);
        assert_int_equal(core_of("named", i), cores_of_named[i]);
    }
    assert_int_equal(host_log_count("guest.created", "name=named cpus=3 memory=4M"), 1);
    assert_int_equal(host_log_count("guest.created", "cores=1-2,7"), 1);
    assert_int_equal(guest_find("any")->index, 0);
}

static void cores_that_are_not_to_be_had(void **state)
{
    cores = 6;
    cpus[5].state = CPU_FAILED;
    ram(MIB(1), GIB(1), BOOT_MEMORY_USABLE);
    on_cores(guest("first", MIB(4), 0), 1, 2);
    struct config_guest *second = on_cores(guest("second", MIB(4), 0), 2, 4);
    second->cores_place = (struct config_place){12, 9};
    on_cores(guest("missing", MIB(4), 0), 3, 6);
    on_cores(guest("broken", MIB(4), 0), 5, 5);
    on_cores(guest("beyond", MIB(4), 0), 4000, 4000);
    guest("rest", MIB(4), 2);
    make();
    assert_int_equal(host_log_count("guest.refused", "guest=second line=12 column=9 core=2"), 1);
    assert_int_equal(host_log_count("guest.refused", "the core is guest first's"), 1);
    assert_int_equal(host_log_count("guest.refused", "out of service"), 2);
    assert_int_equal(host_log_count("guest.refused", "guest=beyond"), 1);
    assert_int_equal(host_log_count("guest.refused", "those from 1 to 5"), 1);
    assert_int_equal(core_of("rest", 0), 3); /* what second did not get */
    assert_int_equal(core_of("rest", 1), 4);
}

/* A guest that is refused for another reason leaves its cores to the next. */
static void cores_of_a_refused_guest(void **state)
{
    missing_image = "gone.elf";
    ram(MIB(1), GIB(1), BOOT_MEMORY_USABLE);
    on_cores(guest("gone", MIB(4), 0), 2, 3);
    on_cores(guest("here", MIB(4), 0), 3, 3);
    guest("rest", MIB(4), 2);
    make();
    assert_int_equal(guest_find("gone")->state, GUEST_REFUSED);
    assert_int_equal(core_of("here", 0), 3);
    assert_int_equal(core_of("rest", 0), 1);
    assert_int_equal(core_of("rest", 1), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sixty_four_guests),
        TEST(sixty_four_vcpus),
        TEST(sixty_four_functions),
        TEST(named_cores_come_first),
        TEST(cores_that_are_not_to_be_had),
        TEST(cores_of_a_refused_guest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
