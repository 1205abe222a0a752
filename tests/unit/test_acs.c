/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/pci/acs.c hypervisor/setup/pci_acs.c hypervisor/setup/pci_enumerate.c
// SOURCES: hypervisor/setup/pci_groups.c
// SOURCES: hypervisor/setup/pci_known.c
// SOURCES: hypervisor/setup/pci_roots.c
// SOURCES: hypervisor/pci/functions.c hypervisor/setup/pci_functions.c
// SOURCES: hypervisor/setup/pci_capabilities.c hypervisor/setup/pci_bars.c
// SOURCES: hypervisor/setup/pci_ram.c hypervisor/setup/pci_placement.c
// SOURCES: hypervisor/setup/pci_bridge_window.c hypervisor/base/format.c
// SOURCES: hypervisor/base/status.c tests/unit/model/pci_model.c
// SOURCES: tests/unit/model/pci_routing.c
/* ACS: the bits, and which paths to the root count as isolated. */
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/pci/acs.h"
#include "hypervisor/setup/pci.h"
#include "hypervisor/setup/pci_functions.h"
#include "tests/unit/model/pci_model.h"
#include "tests/unit/support/host.h"

#define ALL_ACS 0x005f

static const struct mcfg mcfg = {.count = 1, .segment = {{.base = 0xe0000000, .end_bus = 255}}};

static int fresh(void **state)
{
    model_clear();
    host_log_clear();
    return 0;
}

static struct model_function *port(rid_t rid, uint8_t secondary, uint8_t subordinate, unsigned type,
                                   uint16_t acs)
{
    struct model_function *bridge = model_bridge(rid, secondary, subordinate);
    model_pcie(bridge, 0x54, type, false);
    if (acs != 0)
        model_acs(bridge, 0x100, acs);
    return bridge;
}

static void nic(rid_t rid, bool multi_function)
{
    struct model_function *f = model_endpoint(rid, 0x8086, 0x1533, 0x020000);
    model_pcie(f, 0xa0, 0, true);
    if (multi_function)
        model_put(f, 0x0e, 1, 0x80);
}

#define NOBODY 0xffffffff

/* Where a request of the one turns towards the other, NOBODY if nowhere. */
static rid_t turns(rid_t from, rid_t to)
{
    const struct pci_function *culprit;
    bool reaches = acs_reaches(pci_function_find(from), pci_function_find(to), &culprit);
    assert_true(reaches == (culprit != NULL));
    return reaches ? culprit->rid : NOBODY;
}

static void enumerate(void)
{
    assert_int_equal(pci_enumerate(&mcfg, NULL), STATUS_OK);
    acs_enable_all();
}

static void all_that_is_offered_is_turned_on(void **state)
{
    struct model_function *root = port(RID(0, 0, 1, 0), 1, 1, PCIE_TYPE_ROOT_PORT, ALL_ACS);
    model_put(root, 0x106, 2, 0x0040); /* firmware left direct translated requests on */
    enumerate();
    assert_int_equal(model_get(root, 0x106, 2), 0x001f);
    assert_int_equal(host_log_count("acs.enabled", "rid=00:01.0"), 1);
}

/* The root complex translates before it looks who is meant. */
static void root_ports_need_none(void **state)
{
    port(RID(0, 0, 1, 0), 1, 1, PCIE_TYPE_ROOT_PORT, 0);
    port(RID(0, 0, 1, 1), 2, 2, PCIE_TYPE_ROOT_PORT, 0);
    nic(RID(0, 1, 0, 0), false);
    nic(RID(0, 2, 0, 0), false);
    nic(RID(0, 0, 2, 0), false);
    enumerate();
    assert_int_equal(turns(RID(0, 1, 0, 0), RID(0, 2, 0, 0)), NOBODY);
    assert_int_equal(turns(RID(0, 1, 0, 0), RID(0, 0, 2, 0)), NOBODY);
    assert_int_equal(turns(RID(0, 0, 2, 0), RID(0, 1, 0, 0)), NOBODY);
}

static void every_switch_on_the_way_counts(void **state)
{
    port(RID(0, 0, 1, 0), 1, 7, PCIE_TYPE_ROOT_PORT, ALL_ACS);
    port(RID(0, 1, 0, 0), 2, 7, PCIE_TYPE_UPSTREAM, 0);
    port(RID(0, 2, 0, 0), 3, 3, PCIE_TYPE_DOWNSTREAM, ALL_ACS);
    port(RID(0, 2, 1, 0), 4, 7, PCIE_TYPE_DOWNSTREAM, 0);
    port(RID(0, 4, 0, 0), 5, 7, PCIE_TYPE_UPSTREAM, 0);
    port(RID(0, 5, 0, 0), 6, 6, PCIE_TYPE_DOWNSTREAM, ALL_ACS);
    port(RID(0, 5, 1, 0), 7, 7, PCIE_TYPE_DOWNSTREAM, ALL_ACS);
    port(RID(0, 0, 2, 0), 8, 8, PCIE_TYPE_ROOT_PORT, 0);
    const rid_t protected = RID(0, 3, 0, 0), inner = RID(0, 6, 0, 0), other = RID(0, 7, 0, 0),
                outside = RID(0, 8, 0, 0);
    nic(protected, false);
    nic(inner, false);
    nic(other, false);
    nic(outside, false);
    enumerate();
    assert_int_equal(turns(protected, inner), NOBODY);
    assert_int_equal(turns(inner, protected), RID(0, 2, 1, 0));
    assert_int_equal(turns(inner, other), NOBODY);
    assert_int_equal(turns(inner, outside), NOBODY);
    assert_int_equal(turns(outside, inner), NOBODY);
}

static void conventional_buses_are_shared(void **state)
{
    port(RID(0, 0, 1, 0), 1, 2, PCIE_TYPE_ROOT_PORT, ALL_ACS);
    port(RID(0, 1, 0, 0), 2, 2, PCIE_TYPE_TO_PCI_BRIDGE, 0);
    nic(RID(0, 2, 0, 0), false);
    nic(RID(0, 2, 1, 0), false);
    model_bridge(RID(0, 0, 2, 0), 3, 3);
    nic(RID(0, 3, 0, 0), false);
    nic(RID(0, 3, 1, 0), false);
    enumerate();
    assert_int_equal(turns(RID(0, 2, 0, 0), RID(0, 2, 1, 0)), RID(0, 1, 0, 0));
    assert_int_equal(turns(RID(0, 3, 0, 0), RID(0, 3, 1, 0)), RID(0, 0, 2, 0));
    assert_int_equal(turns(RID(0, 2, 0, 0), RID(0, 3, 0, 0)), NOBODY);
}

/* A switch without ACS joins what is behind its ports; so does a conventional bus, and one function
 * that both reach joins two that do not reach each other. */
static void groups_are_closed(void **state)
{
    port(RID(0, 0, 1, 0), 1, 5, PCIE_TYPE_ROOT_PORT, ALL_ACS);
    port(RID(0, 1, 0, 0), 2, 5, PCIE_TYPE_UPSTREAM, 0);
    port(RID(0, 2, 0, 0), 3, 3, PCIE_TYPE_DOWNSTREAM, ALL_ACS);
    port(RID(0, 2, 1, 0), 4, 4, PCIE_TYPE_DOWNSTREAM, 0);
    port(RID(0, 2, 2, 0), 5, 5, PCIE_TYPE_DOWNSTREAM, ALL_ACS);
    nic(RID(0, 3, 0, 0), false);
    nic(RID(0, 4, 0, 0), false);
    nic(RID(0, 5, 0, 0), false);
    nic(RID(0, 0, 3, 0), false);
    enumerate();
    assert_int_equal(acs_find_groups(), STATUS_OK);
    const struct acs_group *group = pci_function_find(RID(0, 3, 0, 0))->group;
    assert_int_equal(group->count, 3); /* 03:00.0 and 05:00.0 only through 04:00.0 */
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(group->members[i]->rid, RID(0, 3 + i, 0, 0));
        assert_ptr_equal(group->members[i]->group, group);
    }
    assert_int_equal(group->culprit->rid, RID(0, 2, 1, 0));
    assert_null(pci_function_find(RID(0, 0, 3, 0))->group);
    assert_null(pci_function_find(RID(0, 2, 1, 0))->group); /* a bridge */
}

static void siblings_need_acs_of_their_own(void **state)
{
    port(RID(0, 0, 1, 0), 1, 1, PCIE_TYPE_ROOT_PORT, ALL_ACS);
    nic(RID(0, 1, 0, 0), true);
    nic(RID(0, 1, 0, 1), true);
    model_acs(model_find(RID(0, 1, 0, 1)), 0x100, 0x000c);
    enumerate();
    assert_int_equal(turns(RID(0, 1, 0, 0), RID(0, 1, 0, 1)), RID(0, 1, 0, 0));
    assert_int_equal(turns(RID(0, 1, 0, 1), RID(0, 1, 0, 0)), NOBODY);
}

/* Whether two functions of that device, without ACS, may go to different guests; and whether the
 * flash behind one of its BARs is known. */
static void expect_known(uint16_t vendor, uint16_t id, bool separate, bool flash)
{
    (void)fresh(NULL);
    port(RID(0, 0, 1, 0), 1, 1, PCIE_TYPE_ROOT_PORT, ALL_ACS);
    for (unsigned i = 0; i < 2; i++) {
        nic(RID(0, 1, 0, i), true);
        model_put(model_find(RID(0, 1, 0, i)), 0, 2, vendor);
        model_put(model_find(RID(0, 1, 0, i)), 2, 2, id);
    }
    enumerate();
    assert_int_equal(turns(RID(0, 1, 0, 0), RID(0, 1, 0, 1)), separate ? NOBODY : RID(0, 1, 0, 0));
    assert_true(pci_function_find(RID(0, 1, 0, 1))->flash_bar == flash);
}

static void makers_vouch_for_some(void **state)
{
    static const uint16_t both[] = {
        0x10c9, 0x10e6, 0x10e7, 0x10e8, 0x150a, 0x150d, 0x1518, 0x1526, /* 82576 */
        0x1509, 0x150e, 0x150f, 0x1510, 0x1511, 0x1516, 0x1527,         /* 82580 */
        0x1521, 0x1522, 0x1523, 0x1524,                                 /* I350 */
    };
    static const uint16_t separate[] = {
        0x10f7, 0x10f8, 0x10f9, 0x10fa, 0x10fb, 0x10fc, 0x1507, 0x1514, /* 82599 */
        0x151c, 0x1529, 0x152a, 0x154d, 0x154f, 0x1551, 0x1558, 0x10c6,
        0x10db, 0x10dd, 0x10e1, 0x10f1, /* 82598 */
    };
    static const uint16_t flash[] = {0x10d3, 0x105e, 0x108b}; /* 82574, 82571, 82573 */
    static const uint16_t neither[] = {0x1533, 0x1520, 0x10ca, 0x10ed, 0x1563, 0x1572, 0x1525};
    for (size_t i = 0; i < ARRAY_SIZE(both); i++)
        expect_known(0x8086, both[i], true, true);
    for (size_t i = 0; i < ARRAY_SIZE(separate); i++)
        expect_known(0x8086, separate[i], true, false);
    for (size_t i = 0; i < ARRAY_SIZE(flash); i++)
        expect_known(0x8086, flash[i], false, true);
    for (size_t i = 0; i < ARRAY_SIZE(neither); i++)
        expect_known(0x8086, neither[i], false, false);
    expect_known(0x10df, 0x1521, false, false); /* another maker's */
}

/* Behind a port without ACS, alone: whatever they send each other's registers has to leave the
 * device, and the port has nowhere else to send it. With an ACS capability that cannot be set the
 * device itself says that it would turn requests around. */
static void vfs_of_one_pf_are_separate_unless_they_say_otherwise(void **state)
{
    port(RID(0, 0, 1, 0), 1, 3, PCIE_TYPE_ROOT_PORT, 0);
    port(RID(0, 1, 0, 0), 2, 3, PCIE_TYPE_UPSTREAM, 0);
    port(RID(0, 2, 0, 0), 3, 3, PCIE_TYPE_DOWNSTREAM, 0);
    nic(RID(0, 3, 0, 0), false);
    enumerate();
    model_put(model_find(RID(0, 2, 0, 0)), 0x54 + 0x28, 2, 0x20); /* ARI: they are in reach */
    struct pci_function *pf = pci_function_find(RID(0, 3, 0, 0));
    struct pci_function vf = {.is_vf = true, .pf = pf, .bridge = pf->bridge};
    for (unsigned i = 0; i < 2; i++) {
        vf.rid = RID(0, 3, 16, i);
        struct model_function *model = model_endpoint(vf.rid, 0xffff, 0xffff, 0x020000);
        model_acs(model, 0x100, 0x000c);
        assert_non_null(pci_function_add(&vf));
    }
    const rid_t first = RID(0, 3, 16, 0), second = RID(0, 3, 16, 1);
    assert_int_equal(turns(first, second), NOBODY);
    assert_int_equal(turns(first, pf->rid), NOBODY);
    assert_int_equal(turns(pf->rid, first), NOBODY);
    pci_function_find(first)->cap_acs = 0x100;
    assert_int_equal(turns(first, second), first);
    assert_int_equal(turns(first, pf->rid), first);
    acs_enable(pci_function_find(first));
    assert_int_equal(turns(first, second), NOBODY);
}

/* In reset it sends nothing; once that has failed, what its registers say counts. */
static void a_reset_counts_while_it_goes_on(void **state)
{
    struct model_function *card = model_endpoint(RID(0, 1, 0, 0), 0x8086, 0x1533, 0x020000);
    model_pcie(card, 0xa0, 0, true);
    model_put(card, 0x0e, 1, 0x80);
    model_acs(card, 0x100, ALL_ACS);
    port(RID(0, 0, 1, 0), 1, 1, PCIE_TYPE_ROOT_PORT, ALL_ACS);
    nic(RID(0, 1, 0, 1), true);
    enumerate();
    struct pci_function *function = pci_function_find(RID(0, 1, 0, 0));
    const struct pci_function *other = pci_function_find(RID(0, 1, 0, 1)), *culprit;
    model_put(card, 0x106, 2, 0);
    assert_true(acs_reaches(function, other, &culprit));
    function->in_reset = true;
    function->life = PCI_RESETTING;
    assert_false(acs_reaches(function, other, &culprit));
    function->life = PCI_UNUSABLE;
    assert_true(acs_reaches(function, other, &culprit));
    function->life = PCI_CLEAN; /* its neighbour leads a reset of the bus */
    function->bridge->in_reset = true;
    assert_false(acs_reaches(function, other, &culprit));
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_that_is_offered_is_turned_on),
        TEST(root_ports_need_none),
        TEST(every_switch_on_the_way_counts),
        TEST(conventional_buses_are_shared),
        TEST(groups_are_closed),
        TEST(siblings_need_acs_of_their_own),
        TEST(a_reset_counts_while_it_goes_on),
        TEST(makers_vouch_for_some),
        TEST(vfs_of_one_pf_are_separate_unless_they_say_otherwise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
