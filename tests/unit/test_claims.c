/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/pci/life.c
// SOURCES: hypervisor/setup/pci_roots.c
// SOURCES: hypervisor/setup/pci_claims.c hypervisor/setup/pci_enumerate.c
// SOURCES: hypervisor/pci/functions.c hypervisor/setup/pci_functions.c
// SOURCES: hypervisor/setup/pci_capabilities.c hypervisor/pci/bars.c
// SOURCES: hypervisor/setup/pci_bars.c hypervisor/setup/pci_ram.c
// SOURCES: hypervisor/setup/pci_placement.c hypervisor/setup/pci_bridge_window.c
// SOURCES: hypervisor/base/format.c hypervisor/base/status.c tests/unit/model/pci_model.c
// SOURCES: tests/unit/model/pci_routing.c
// SOURCES: hypervisor/setup/pci_known.c
/* Firmware that places registers of two functions at one address, or where no bridge sends them. */
#include <string.h>

#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/setup/memory.h"
#include "hypervisor/setup/pci.h"
#include "tests/unit/model/pci_model.h"
#include "tests/unit/support/host.h"

#define A RID(0, 1, 0, 0)
#define B RID(0, 2, 0, 0)
#define C RID(0, 0, 9, 0)

static const struct mcfg mcfg = {
    .count = 1,
    .segment = {{.base = 0xe0000000, .segment = 0, .start_bus = 0, .end_bus = 255}},
};

static struct model_function *a, *b, *c, *port_a, *port_b;
static struct frame_range taken[16];
static unsigned taken_count;
static enum status take_status;

enum status frames_take(uint64_t base, uint64_t size, uint32_t from, owner_t to)
{
    assert_int_equal(from, BIT(OWNER_NONE));
    assert_true(IS_ALIGNED(base, PAGE_SIZE) && IS_ALIGNED(size, PAGE_SIZE));
    assert_true(taken_count < ARRAY_SIZE(taken));
    taken[taken_count++] = (struct frame_range){base, size, to};
    return take_status;
}

/* A and B behind ports of their own, C on the root bus; all as it should be. */
static int fresh(void **state)
{
    model_clear();
    host_log_clear();
    host_clock_set(0);
    taken_count = 0;
    take_status = STATUS_OK;
    port_a = model_bridge(RID(0, 0, 1, 0), 1, 1);
    port_b = model_bridge(RID(0, 0, 2, 0), 2, 2);
    model_window(port_a, false, 0x80000000, 0x800fffff);
    model_window(port_b, false, 0x80100000, 0x801fffff);
    model_window(port_b, true, 0xc000000000, 0xc0000fffff);
    a = model_endpoint(A, 0x8086, 0x10c9, 0x020000);
    b = model_endpoint(B, 0x8086, 0x10d3, 0x020000);
    c = model_endpoint(C, 0x1234, 1, 0xff0000);
    model_bar(a, 0, (struct model_bar){.size = 0x20000, .base = 0x80000000});
    model_bar(b, 0, (struct model_bar){.size = 0x4000, .base = 0x80100000});
    model_bar(b, 2,
              (struct model_bar){
                  .size = 0x4000, .base = 0xc000000000, .is_64bit = true, .prefetchable = true});
    model_bar(c, 0, (struct model_bar){.size = 0x100, .base = 0xfd001f00});
    model_put(a, 4, 2, 2);
    model_put(b, 4, 2, 2);
    model_put(c, 4, 2, 2);
    return 0;
}

static bool misplaced(rid_t rid)
{
    return pci_function_find(rid)->life == PCI_MISPLACED;
}

static void claim(void)
{
    assert_int_equal(pci_enumerate(&mcfg, NULL), STATUS_OK);
    host_log_clear();
    pci_claim_registers();
    assert_int_equal(model_violations(), 0);
}

static void what_is_sound_gets_an_owner(void **state)
{
    claim();
    assert_int_equal(host_log_count("pci.refused", NULL), 0);
    assert_false(misplaced(A) || misplaced(B) || misplaced(C));
    assert_int_equal(taken_count, 4);
    for (unsigned i = 0; i < taken_count; i++)
        assert_int_equal(taken[i].owner, OWNER_MMIO);
    /* Whole pages, in the order of the buses: C first. */
    assert_true(taken[0].base == 0xfd001000 && taken[0].size == PAGE_SIZE);
    assert_true(taken[1].base == 0x80000000 && taken[1].size == 0x20000);
    assert_true(taken[3].base == 0xc000000000 && taken[3].size == 0x4000);
}

static void two_at_one_address_are_refused_by_name(void **state)
{
    model_window(port_b, false, 0x80000000, 0x800fffff);
    model_put(b, 0x10, 4, 0x8001c000);
    claim();
    assert_true(misplaced(A) && misplaced(B));
    assert_false(misplaced(C));
    assert_int_equal(host_log_count("pci.refused", "rid=01:00.0 bar=0 base=0x80000000 size=128K"),
                     1);
    assert_int_equal(
        host_log_count("pci.refused", "other=02:00.0 other_bar=0 other_base=0x8001c000"), 1);
}

/* Nothing asked for C, and it is not a neighbour of A on any bus. */
static void whoever_it_is_that_lies_there(void **state)
{
    model_put(c, 0x10, 4, 0x8001ff00);
    claim();
    assert_true(misplaced(A) && misplaced(C));
    assert_false(misplaced(B));
}

static void what_does_not_decode_harms_itself_only(void **state)
{
    model_put(c, 4, 2, 0);
    model_put(c, 0x10, 4, 0x8001ff00);
    claim();
    assert_true(misplaced(C));
    assert_false(misplaced(A));
    fresh(NULL);
    model_put(a, 4, 2, 0);
    model_put(c, 4, 2, 0);
    model_put(c, 0x10, 4, 0x8001ff00);
    claim();
    assert_true(misplaced(C) && misplaced(A));
}

static void registers_over_each_other_in_one_function(void **state)
{
    model_bar(b, 1, (struct model_bar){.size = 0x1000, .base = 0x80103000});
    claim();
    assert_true(misplaced(B));
    assert_int_equal(host_log_count("pci.refused", "rid=02:00.0"), 1);
}

static void each_bridge_above_must_forward(void **state)
{
    model_put(b, 0x10, 4, 0x80300000);
    claim();
    assert_true(misplaced(B));
    assert_false(misplaced(A));
    assert_int_equal(host_log_count("pci.refused", "rid=02:00.0 bar=0 base=0x80300000 size=16K "
                                                   "bridge=00:02.0 message=\"the firmware placed "
                                                   "it outside"),
                     1);
    fresh(NULL);
    model_put(b, 0x1c, 4, 0xbf); /* the upper half: far outside */
    claim();
    assert_true(misplaced(B));
    /* Half of it is not enough. */
    fresh(NULL);
    model_bar(b, 0, (struct model_bar){.size = 0x200000, .base = 0x80000000});
    model_window(port_a, false, 0x90000000, 0x900fffff);
    model_put(a, 0x10, 4, 0x90000000);
    claim();
    assert_true(misplaced(B));
    assert_false(misplaced(A));
    /* Nor is a BAR that is larger than the window. */
    fresh(NULL);
    model_bar(b, 2,
              (struct model_bar){
                  .size = 0x200000, .base = 0xc000000000, .is_64bit = true, .prefetchable = true});
    claim();
    assert_true(misplaced(B));
    assert_int_equal(host_log_count("pci.refused", "rid=02:00.0 bar=2"), 1);
    /* A bridge that takes what nobody else does forwards everything. */
    fresh(NULL);
    model_put(port_b, 0x08, 4, 0x06040100);
    model_put(b, 0x10, 4, 0x80300000);
    claim();
    assert_false(misplaced(B));
}

static void no_other_bridge_may_forward(void **state)
{
    model_window(port_b, true, 0x80000000, 0x800fffff);
    model_put(b, 0x18, 4, 0x80040000 | 0xc);
    model_put(b, 0x1c, 4, 0);
    claim();
    assert_true(misplaced(A));
    assert_true(misplaced(B)); /* the same holds for the other window */
    assert_int_equal(host_log_count("pci.refused", "rid=01:00.0 bar=0 base=0x80000000 size=128K "
                                                   "bridge=00:02.0 message=\"the firmware placed "
                                                   "it inside"),
                     1);
}

static void both_windows_of_a_switch_count(void **state)
{
    model_bridge(RID(0, 0, 3, 0), 3, 5);
    struct model_function *up = model_bridge(RID(0, 3, 0, 0), 4, 5);
    struct model_function *down = model_bridge(RID(0, 4, 0, 0), 5, 5);
    struct model_function *deep = model_endpoint(RID(0, 5, 0, 0), 1, 2, 0x020000);
    model_window(model_find(RID(0, 0, 3, 0)), false, 0x80200000, 0x803fffff);
    model_window(up, false, 0x80200000, 0x802fffff);
    model_window(down, false, 0x80200000, 0x802fffff);
    model_bar(deep, 0, (struct model_bar){.size = 0x1000, .base = 0x80200000});
    claim();
    assert_false(misplaced(RID(0, 5, 0, 0)));
    /* The last port forwards it, the one above does not. */
    fresh(NULL);
    model_bridge(RID(0, 0, 3, 0), 3, 5);
    up = model_bridge(RID(0, 3, 0, 0), 4, 5);
    down = model_bridge(RID(0, 4, 0, 0), 5, 5);
    deep = model_endpoint(RID(0, 5, 0, 0), 1, 2, 0x020000);
    model_window(model_find(RID(0, 0, 3, 0)), false, 0x80200000, 0x803fffff);
    model_window(up, false, 0x80200000, 0x802fffff);
    model_window(down, false, 0x80300000, 0x803fffff);
    model_bar(deep, 0, (struct model_bar){.size = 0x1000, .base = 0x80300000});
    claim();
    assert_true(misplaced(RID(0, 5, 0, 0)));
}

static void the_platforms_registers_are_not_a_devices(void **state)
{
    assert_int_equal(pci_enumerate(&mcfg, NULL), STATUS_OK);
    host_log_clear();
    model_frame(0xfd000000, 0x10000, OWNER_HYPERVISOR); /* they get their owner later */
    pci_claim_registers();
    assert_true(misplaced(C));
    assert_false(misplaced(A));
    assert_int_equal(host_log_count("pci.refused", "registers of the platform"), 1);
    assert_int_equal(taken_count, 3);
}

static void without_room_nothing_is_given(void **state)
{
    take_status = STATUS_FULL;
    claim();
    assert_true(misplaced(A) && misplaced(B) && misplaced(C));
    assert_int_equal(host_log_count("pci.refused", "has no room"), 3);
}

/* A machine full of cards leaves guests their memory. */
static void claims_leave_room_in_the_frame_table(void **state)
{
    for (unsigned i = 0; i < FRAME_MAX_RANGES - 1024; i++)
        model_frame(0x1000000 + i * 0x2000, PAGE_SIZE, OWNER_FIRMWARE);
    claim();
    assert_int_equal(taken_count, 4);
    fresh(NULL);
    for (unsigned i = 0; i <= FRAME_MAX_RANGES - 1024; i++)
        model_frame(0x1000000 + i * 0x2000, PAGE_SIZE, OWNER_FIRMWARE);
    claim();
    assert_int_equal(taken_count, 0);
    assert_true(misplaced(A) && misplaced(B) && misplaced(C));
    assert_int_equal(host_log_count("pci.refused", "kept for guests' memory"), 3);
}

/* It is switched on with the first function behind it. */
static void windows_of_a_bridge_that_does_not_decode_count(void **state)
{
    model_put(port_a, PCI_COMMAND, 2, 0);
    claim();
    assert_false(misplaced(A));
    fresh(NULL);
    model_window(port_b, true, 0x80000000, 0x800fffff);
    model_put(port_b, PCI_COMMAND, 2, 0);
    claim();
    assert_true(misplaced(A));
}

static void expansion_roms_do_not_decode(void **state)
{
    model_writable(a, 0x30, 4, 0xffff0001);
    model_put(a, 0x30, 4, 0x80040001);
    model_writable(port_a, 0x38, 4, 0xffff0001);
    model_put(port_a, 0x38, 4, 0x80050001);
    claim();
    assert_int_equal(model_get(a, 0x30, 4), 0x80040000);
    assert_int_equal(model_get(port_a, 0x38, 4), 0x80050000);
}

/* What a device does to its BARs by itself shows in configuration space. */
static void a_bar_that_moved_is_seen(void **state)
{
    claim();
    const struct pci_function *function = pci_function_find(B);
    assert_true(pci_bars_hold(function));
    assert_int_equal(pci_bar_now(function, 2), 0xc000000000);
    model_put(b, 0x1c, 4, 0xc1);
    assert_int_equal(pci_bar_now(function, 2), 0xc100000000);
    assert_false(pci_bars_hold(function));
    model_put(b, 0x1c, 4, 0xc0);
    assert_true(pci_bars_hold(function));
    model_put(b, 0x10, 4, 0x80000000);
    assert_false(pci_bars_hold(function));
}

static void a_vfs_bar_is_its_share_of_the_pfs(void **state)
{
    model_sriov(a, &(struct model_sriov){
                       .offset = 0x160,
                       .total = 8,
                       .initial = 8,
                       .first_offset = 0x80,
                       .stride = 2,
                       .bar = {[3] = {.size = 0x4000, .base = 0x80040000, .is_64bit = true}}});
    claim();
    struct pci_function *pf = pci_function_find(A);
    pf->cap_sriov = 0x160; /* the model's function has no PCI Express capability to find it by */
    struct pci_function vf = {.is_vf = true, .pf = pf, .vf_index = 2};
    vf.bar[3] = (struct pci_bar){.base = 0x80048000, .size = 0x4000, .is_64bit = true};
    assert_true(pci_bars_hold(&vf));
    model_put(a, 0x160 + 0x30, 4, 0x80000004);
    assert_int_equal(pci_bar_now(&vf, 3), 0x80008000);
    assert_false(pci_bars_hold(&vf));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_sound_gets_an_owner, fresh),
        cmocka_unit_test_setup(two_at_one_address_are_refused_by_name, fresh),
        cmocka_unit_test_setup(whoever_it_is_that_lies_there, fresh),
        cmocka_unit_test_setup(what_does_not_decode_harms_itself_only, fresh),
        cmocka_unit_test_setup(registers_over_each_other_in_one_function, fresh),
        cmocka_unit_test_setup(each_bridge_above_must_forward, fresh),
        cmocka_unit_test_setup(no_other_bridge_may_forward, fresh),
        cmocka_unit_test_setup(both_windows_of_a_switch_count, fresh),
        cmocka_unit_test_setup(the_platforms_registers_are_not_a_devices, fresh),
        cmocka_unit_test_setup(without_room_nothing_is_given, fresh),
        cmocka_unit_test_setup(claims_leave_room_in_the_frame_table, fresh),
        cmocka_unit_test_setup(windows_of_a_bridge_that_does_not_decode_count, fresh),
        cmocka_unit_test_setup(expansion_roms_do_not_decode, fresh),
        cmocka_unit_test_setup(a_bar_that_moved_is_seen, fresh),
        cmocka_unit_test_setup(a_vfs_bar_is_its_share_of_the_pfs, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
