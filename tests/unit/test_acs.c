// SOURCES: hypervisor/pci/acs.c hypervisor/pci/enumerate.c hypervisor/pci/functions.c
// SOURCES: hypervisor/pci/capabilities.c hypervisor/pci/bars.c hypervisor/pci/ram.c
// SOURCES: hypervisor/pci/placement.c hypervisor/pci/bridge_window.c hypervisor/base/format.c
// SOURCES: hypervisor/base/status.c tests/unit/model/pci_model.c
/* ACS: the bits, and which paths to the root count as isolated. */
#include "hypervisor/pci/config_space.h"
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

/* The culprit, 0xffffffff for none. */
static rid_t culprit_of(rid_t rid)
{
    const struct pci_function *culprit;
    bool isolated = acs_isolated(pci_function_find(rid), &culprit);
    assert_true(isolated == (culprit == NULL));
    return isolated ? 0xffffffff : culprit->rid;
}

static void enumerate(void)
{
    assert_int_equal(pci_enumerate(&mcfg), STATUS_OK);
    acs_enable_all();
}

static void a_root_port_redirects(void **state)
{
    struct model_function *root = port(RID(0, 0, 1, 0), 1, 1, PCIE_TYPE_ROOT_PORT, ALL_ACS);
    model_put(root, 0x106, 2, 0x0040); /* firmware left direct translated requests on */
    nic(RID(0, 1, 0, 0), false);
    assert_int_equal(pci_enumerate(&mcfg), STATUS_OK);
    assert_int_equal(culprit_of(RID(0, 1, 0, 0)), RID(0, 0, 1, 0));
    acs_enable_all();
    assert_int_equal(model_get(root, 0x106, 2), 0x001f);
    assert_int_equal(culprit_of(RID(0, 1, 0, 0)), 0xffffffff);
    assert_int_equal(host_log_count("acs.enabled", "rid=00:01.0"), 1);
}

static void a_port_without_acs_is_named(void **state)
{
    port(RID(0, 0, 1, 0), 1, 1, PCIE_TYPE_ROOT_PORT, 0);
    nic(RID(0, 1, 0, 0), false);
    enumerate();
    assert_int_equal(culprit_of(RID(0, 1, 0, 0)), RID(0, 0, 1, 0));
}

static void every_switch_port_on_the_way_counts(void **state)
{
    port(RID(0, 0, 1, 0), 1, 4, PCIE_TYPE_ROOT_PORT, ALL_ACS);
    port(RID(0, 1, 0, 0), 2, 4, PCIE_TYPE_UPSTREAM, 0);
    port(RID(0, 2, 0, 0), 3, 3, PCIE_TYPE_DOWNSTREAM, ALL_ACS);
    port(RID(0, 2, 1, 0), 4, 4, PCIE_TYPE_DOWNSTREAM, 0);
    nic(RID(0, 3, 0, 0), false);
    nic(RID(0, 4, 0, 0), false);
    enumerate();
    assert_int_equal(culprit_of(RID(0, 3, 0, 0)), 0xffffffff);
    assert_int_equal(culprit_of(RID(0, 4, 0, 0)), RID(0, 2, 1, 0));
}

static void conventional_bridges_alias_ids(void **state)
{
    port(RID(0, 0, 1, 0), 1, 2, PCIE_TYPE_ROOT_PORT, ALL_ACS);
    port(RID(0, 1, 0, 0), 2, 2, PCIE_TYPE_TO_PCI_BRIDGE, 0);
    nic(RID(0, 2, 0, 0), false);
    model_bridge(RID(0, 0, 2, 0), 3, 3);
    nic(RID(0, 3, 0, 0), false);
    enumerate();
    assert_int_equal(culprit_of(RID(0, 2, 0, 0)), RID(0, 1, 0, 0));
    assert_int_equal(culprit_of(RID(0, 3, 0, 0)), RID(0, 0, 2, 0));
}

static void siblings_need_acs_of_their_own(void **state)
{
    port(RID(0, 0, 1, 0), 1, 1, PCIE_TYPE_ROOT_PORT, ALL_ACS);
    nic(RID(0, 1, 0, 0), true);
    nic(RID(0, 1, 0, 1), true);
    model_acs(model_find(RID(0, 1, 0, 1)), 0x100, 0x000c);
    enumerate();
    assert_int_equal(culprit_of(RID(0, 1, 0, 0)), RID(0, 1, 0, 0));
    assert_int_equal(culprit_of(RID(0, 1, 0, 1)), 0xffffffff);
}

static void the_82576_is_known_not_to_talk_sideways(void **state)
{
    port(RID(0, 0, 1, 0), 1, 1, PCIE_TYPE_ROOT_PORT, ALL_ACS);
    for (unsigned i = 0; i < 2; i++) {
        nic(RID(0, 1, 0, i), true);
        model_put(model_find(RID(0, 1, 0, i)), 2, 2, 0x10c9);
    }
    enumerate();
    assert_int_equal(culprit_of(RID(0, 1, 0, 1)), 0xffffffff);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_root_port_redirects),
        TEST(a_port_without_acs_is_named),
        TEST(every_switch_port_on_the_way_counts),
        TEST(conventional_bridges_alias_ids),
        TEST(siblings_need_acs_of_their_own),
        TEST(the_82576_is_known_not_to_talk_sideways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
