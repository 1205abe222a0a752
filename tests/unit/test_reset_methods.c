/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/pci/reset.c hypervisor/setup/pci_wake.c hypervisor/pci/saved.c
// SOURCES: hypervisor/pci/functions.c hypervisor/setup/pci_functions.c
// SOURCES: hypervisor/setup/pci_capabilities.c hypervisor/pci/acs.c hypervisor/pci/life.c
// SOURCES: hypervisor/base/format.c hypervisor/base/status.c tests/unit/model/pci_model.c
// SOURCES: tests/unit/model/pci_routing.c
// SOURCES: hypervisor/pci/sriov.c
// SOURCES: hypervisor/pci/bars.c
// SOURCES: hypervisor/setup/pci_known.c
/* Which reset a function gets, what a bus reset must not reach, and resets that are none. */
#include "hypervisor/base/clock.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/setup/pci_capabilities.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/setup/pci.h"
#include "hypervisor/setup/pci_functions.h"
#include "tests/unit/model/pci_model.h"
#include "tests/unit/support/host.h"

#define PCIE 0xa0
#define PM   0xc8
#define AF   0x90

static struct model_function *port, *device;
static struct pci_function *bridge, *function;

static int fresh(void **state)
{
    model_clear();
    pci_functions_clear();
    host_log_clear();
    host_clock_set(0);
    port = model_bridge(RID(0, 0, 1, 0), 1, 2);
    model_pcie(port, 0x40, PCIE_TYPE_ROOT_PORT, false);
    struct pci_function f = {
        .rid = port->rid,
        .is_bridge = true,
        .owner = OWNER_HYPERVISOR,
        .secondary_bus = 1,
        .subordinate_bus = 2,
    };
    pci_capabilities_read(&f);
    bridge = pci_function_add(&f);
    function = NULL;
    return 0;
}

/* A 82574 with a BAR, decoding and bus mastering on. */
static struct model_function *card(rid_t rid)
{
    struct model_function *model = model_endpoint(rid, 0x8086, 0x10d3, 0x020000);
    model_bar(model, 0, (struct model_bar){.size = 0x20000, .base = 0xfe000000});
    model_put(model, 4, 2, 0x0007);
    return model;
}

static struct pci_function *add(const struct model_function *model, struct pci_function *above,
                                owner_t owner)
{
    struct pci_function f = {
        .rid = model->rid, .vendor = 0x8086, .device = 0x10d3, .bridge = above, .owner = owner};
    pci_capabilities_read(&f);
    return pci_function_add(&f);
}

static void whole(const struct model_function *model)
{
    assert_int_equal(model_get(model, 0x10, 4), 0xfe000000);
    assert_int_equal(model_get(model, 4, 2), 0x0003);
    assert_string_equal(model_last_violation(), "");
}

/* The control loop: it looks, does other things, and looks again. No look may wait. */
static enum status finish_reset(struct pci_function *which, struct pci_reset *reset)
{
    enum status status;
    do {
        uint64_t before = clock_microseconds();
        status = pci_reset_poll(which, reset);
        assert_in_range(clock_microseconds() - before, 0, 1000);
        host_clock_advance(100);
    } while (status == STATUS_BUSY);
    return status;
}

static void flr_is_believed_with_exceptions(void **state)
{
    static const struct {
        uint16_t vendor, device;
        bool says, is_vf;
        const char *method;
    } cases[] = {
        {0x8086, 0x10ed, false, true, "method=flr status=ok"},
        {0x8086, 0x10ec, false, false, "method=af status=ok"},
        {0x1022, 0x10ed, false, false, "method=af status=ok"},
        {0x8086, 0x10ec, true, false, "method=flr status=ok"},
        {0x8086, 0x1502, true, false, "method=pm status=ok"},
        {0x8086, 0x1503, true, false, "method=pm status=ok"},
        {0x1022, 0x1487, true, false, "method=pm status=ok"},
        {0x1022, 0x148c, true, false, "method=pm status=ok"},
        {0x1022, 0x149c, true, false, "method=pm status=ok"},
        {0x1022, 0x1503, true, false, "method=flr status=ok"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        fresh(state);
        device = card(RID(0, 1, 0, 0));
        model_pcie(device, PCIE, PCIE_TYPE_ENDPOINT, cases[i].says);
        device->hidden_flr = !cases[i].says;
        device->is_vf = cases[i].is_vf;
        model_pm(device, PM, false);
        if (!cases[i].is_vf) {
            model_capability(device, AF, PCI_CAP_AF);
            model_put(device, AF + 2, 2, 0x0306);
            device->cap_af = AF;
        }
        struct pci_function f = {.rid = device->rid,
                                 .vendor = cases[i].vendor,
                                 .device = cases[i].device,
                                 .bridge = bridge,
                                 .is_vf = cases[i].is_vf,
                                 .owner = OWNER_GUEST(0)};
        model_put(device, 0, 4, (uint32_t)f.device << 16 | f.vendor);
        device->pf = port;
        pci_capabilities_read(&f);
        function = pci_function_add(&f);
        assert_int_equal(pci_function_reset(function), STATUS_OK);
        assert_int_equal(host_log_count("pci.reset", cases[i].method), 1);
    }
    /* Without the capability there is no register to set the bit in. */
    struct pci_function f = {
        .rid = RID(0, 9, 0, 0), .vendor = 0x8086, .device = 0x10ed, .is_vf = true};
    pci_capabilities_read(&f);
    assert_false(f.has_flr);
}

/* Everything is offered at first, then one less each time. */
static void the_gentlest_comes_first(void **state)
{
    static const struct {
        bool flr, af, pm;
        const char *method;
        uint64_t least, most; /* milliseconds */
    } cases[] = {
        {true, true, true, "method=flr status=ok", 100, 110},
        {false, true, true, "method=af status=ok", 100, 110},
        {false, false, true, "method=pm status=ok", 20, 30},
        {false, false, false, "method=bus status=ok", 102, 112},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        fresh(state);
        device = card(RID(0, 1, 0, 0));
        model_pcie(device, PCIE, PCIE_TYPE_ENDPOINT, cases[i].flr);
        model_pm(device, PM, !cases[i].pm);
        if (cases[i].af) {
            model_capability(device, AF, PCI_CAP_AF);
            model_put(device, AF + 2, 2, 0x0306);
            device->cap_af = AF;
        }
        function = add(device, bridge, OWNER_GUEST(0));
        uint64_t before = clock_microseconds();
        assert_int_equal(pci_function_reset(function), STATUS_OK);
        assert_in_range(clock_microseconds() - before, MILLISECONDS(cases[i].least),
                        MILLISECONDS(cases[i].most));
        assert_int_equal(host_log_count("pci.reset", cases[i].method), 1);
        assert_int_equal(device->resets, 1);
        assert_int_equal(model_get(port, 0x3e, 2), 0);
        whole(device);
    }
}

static void sleepers_are_woken(void **state)
{
    device = card(RID(0, 1, 0, 0));
    model_pm(device, PM, false);
    model_put(device, PM + 4, 2, 3); /* as firmware left it */
    model_put(device, 4, 2, 3);      /* and enumeration */
    struct model_function *awake = card(RID(0, 1, 0, 1));
    model_pm(awake, PM, false);
    function = add(device, bridge, OWNER_NOBODY);
    struct pci_function *other = add(awake, bridge, OWNER_NOBODY);
    pci_wake();
    assert_int_equal(model_get(device, PM + 4, 2) & 3, 0);
    assert_in_range(clock_microseconds(), MILLISECONDS(10), MILLISECONDS(11));
    whole(device);
    assert_int_equal(function->owner, OWNER_NOBODY);
    assert_int_equal(host_log_count("pci.woken", "rid=01:00.0 state=D3 status=ok"), 1);
    assert_int_equal(awake->resets, 0);
    assert_int_equal(other->owner, OWNER_NOBODY);
    assert_int_equal(host_log_count("pci.woken", NULL), 1);
}

/* A function without the register behind its capability: what was written to it is gone. */
static void who_sleeps_on_is_given_to_nobody(void **state)
{
    device = card(RID(0, 1, 0, 0));
    model_capability(device, PM, PCI_CAP_PM);
    model_put(device, PM + 4, 2, 3);
    model_put(device, 4, 2, 3);
    function = add(device, bridge, OWNER_NOBODY);
    pci_wake();
    assert_int_equal(function->owner, OWNER_HYPERVISOR);
    assert_int_equal(model_get(device, 4, 2) & 3, 0); /* wherever its BARs may lie now */
    assert_int_equal(host_log_count("pci.woken", "rid=01:00.0 state=D3 status=timeout message="),
                     1);
}

/* The caller has other things to do meanwhile. */
static void starting_does_not_wait(void **state)
{
    device = card(RID(0, 1, 0, 0));
    model_pcie(device, PCIE, PCIE_TYPE_ENDPOINT, false);
    function = add(device, bridge, OWNER_GUEST(0));
    struct pci_reset reset;
    assert_int_equal(pci_reset_start(function, &reset), STATUS_OK);
    assert_in_range(clock_microseconds(), 0, 500);
    assert_int_equal(pci_reset_poll(function, &reset), STATUS_BUSY);
    assert_in_range(clock_microseconds(), 0, 1000);
    assert_int_equal(finish_reset(function, &reset), STATUS_OK);
    whole(device);
}

/* A link that is faster than 5 GT/s has as long again to come up, a conventional bus a second. */
static void the_bus_has_its_time(void **state)
{
    static const struct {
        uint8_t speed, type;
        uint64_t least;
    } cases[] = {
        {2, PCIE_TYPE_ROOT_PORT, 102},
        {3, PCIE_TYPE_DOWNSTREAM, 202},
        {1, PCIE_TYPE_TO_PCI_BRIDGE, 1002},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        fresh(state);
        model_put(port, 0x40 + 0x0c, 4, cases[i].speed);
        bridge->pcie_type = cases[i].type;
        function = add(card(RID(0, 1, 0, 0)), bridge, OWNER_GUEST(0));
        assert_int_equal(pci_function_reset(function), STATUS_OK);
        assert_in_range(clock_microseconds(), MILLISECONDS(cases[i].least),
                        MILLISECONDS(cases[i].least + 10));
        assert_string_equal(model_last_violation(), "");
    }
}

static void a_link_that_stays_down(void **state)
{
    model_put(port, 0x40 + 0x0c, 4, (uint32_t)PCIE_LINK_CAP_ACTIVE | 1);
    model_put(port, 0x40 + 0x12, 2, PCIE_LINK_STATUS_ACTIVE);
    function = add(card(RID(0, 1, 0, 0)), bridge, OWNER_GUEST(0));
    struct pci_reset reset;
    assert_int_equal(pci_reset_start(function, &reset), STATUS_OK);
    model_put(port, 0x40 + 0x12, 2, 0);
    assert_int_equal(finish_reset(function, &reset), STATUS_TIMEOUT);
    assert_in_range(clock_microseconds(), MILLISECONDS(1000), MILLISECONDS(1300));
    assert_int_equal(host_log_count("pci.reset", "link does not come up"), 1);
    /* A port that never says that its link is up. */
    assert_int_equal(pci_function_reset(function), STATUS_OK);
}

static void a_bus_reset_reaches_nobody_else(void **state)
{
    static const struct {
        rid_t rid;
        bool is_bridge;
        owner_t owner;
        bool allowed;
    } cases[] = {
        {RID(0, 1, 0, 1), false, OWNER_GUEST(1), false},
        {RID(0, 2, 3, 0), false, OWNER_GUEST(1), false},
        {RID(0, 1, 0, 1), false, OWNER_HYPERVISOR, false},
        {RID(0, 1, 1, 0), true, OWNER_NOBODY, false},
        {RID(0, 1, 0, 1), false, OWNER_NOBODY, true},
        {RID(0, 1, 0, 1), false, OWNER_GUEST(0), true},
        {RID(0, 3, 0, 0), false, OWNER_GUEST(1), true}, /* another bus */
        {RID(1, 1, 0, 0), false, OWNER_GUEST(1), true}, /* another segment */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        fresh(state);
        model_root_bus(3);
        device = card(RID(0, 1, 0, 0));
        function = add(device, bridge, OWNER_GUEST(0));
        struct model_function *other = card(cases[i].rid);
        add(other, bridge, cases[i].owner)->is_bridge = cases[i].is_bridge;
        model_put(other, 4, 2, 0x0003);
        assert_int_equal(pci_function_reset(function),
                         cases[i].allowed ? STATUS_OK : STATUS_UNSUPPORTED);
        assert_int_equal(device->resets, cases[i].allowed ? 1 : 0);
        assert_int_equal(host_log_count("pci.reset", "another owner"), cases[i].allowed ? 0 : 1);
        whole(other); /* with its BARs, whether it was reset or not */
    }
}

/* Its guest ends: both are taken back at once, and each is reset once. */
static void functions_of_one_guest_share_a_bus_reset(void **state)
{
    struct model_function *models[2] = {card(RID(0, 1, 0, 0)), card(RID(0, 1, 0, 1))};
    struct pci_function *both[2];
    struct pci_reset resets[2];
    for (unsigned i = 0; i < 2; i++)
        both[i] = add(models[i], bridge, OWNER_GUEST(0));
    for (unsigned round = 1; round < 3; round++) {
        for (unsigned i = 0; i < 2; i++)
            assert_int_equal(pci_reset_start(both[i], &resets[i]), STATUS_OK);
        for (unsigned i = 0; i < 2; i++)
            assert_int_equal(finish_reset(both[i], &resets[i]), STATUS_OK);
        for (unsigned i = 0; i < 2; i++) {
            assert_int_equal(models[i]->resets, round);
            whole(models[i]);
            pci_bus_master(both[i], true);
        }
    }
    models[1]->dies_in_reset = true;
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pci_reset_start(both[i], &resets[i]), STATUS_OK);
    assert_int_equal(finish_reset(both[0], &resets[0]), STATUS_OK);
    assert_int_equal(finish_reset(both[1], &resets[1]), STATUS_TIMEOUT);
}

/* QEMU's 82574 returns from D3hot with all its registers, though it says that it would not. */
static void a_reset_that_was_none_is_noticed(void **state)
{
    device = card(RID(0, 1, 0, 0));
    model_pcie(device, PCIE, PCIE_TYPE_ENDPOINT, false);
    model_pm(device, PM, false);
    device->ignored_resets = 1;
    function = add(device, bridge, OWNER_GUEST(0));
    assert_int_equal(pci_function_reset(function), STATUS_OK);
    assert_int_equal(host_log_count("pci.reset", "unchanged"), 1);
    assert_int_equal(host_log_count("pci.reset", "method=bus status=ok"), 1);
    whole(device);
    /* From now on the one that worked. */
    struct pci_reset reset;
    assert_int_equal(pci_reset_start(function, &reset), STATUS_OK);
    assert_int_equal(reset.method, PCI_RESET_BUS);
    assert_int_equal(finish_reset(function, &reset), STATUS_OK);
    assert_int_equal(device->resets, 3);
    whole(device);
    /* Nothing works. */
    device->ignored_resets = 2;
    function->reset_method = PCI_RESET_NONE;
    assert_int_equal(pci_function_reset(function), STATUS_DEVICE);
    whole(device);
}

static void registers_that_do_not_come_back(void **state)
{
    device = card(RID(0, 1, 0, 0));
    function = add(device, bridge, OWNER_GUEST(0));
    struct pci_reset reset;
    assert_int_equal(pci_reset_start(function, &reset), STATUS_OK);
    while (device->resets == 0)
        assert_int_equal(pci_reset_poll(function, &reset), STATUS_BUSY);
    model_writable(device, 0x10, 4, 0);
    assert_int_equal(finish_reset(function, &reset), STATUS_DEVICE);
    assert_int_equal(host_log_count("pci.reset", "do not take back"), 1);
}

static void no_bridge_no_reset(void **state)
{
    device = card(RID(0, 0, 3, 0));
    function = add(device, NULL, OWNER_GUEST(0));
    assert_int_equal(pci_function_reset(function), STATUS_UNSUPPORTED);
    struct pci_reset reset;
    assert_int_equal(pci_reset_start(function, &reset), STATUS_UNSUPPORTED);
    assert_int_equal(host_log_count("pci.reset", "no bridge above"), 2);
    assert_int_equal(model_get(device, 4, 2), 0x0007);
    /* The bus of a VF is its PF's. */
    function = add(card(RID(0, 1, 2, 0)), bridge, OWNER_GUEST(0));
    function->is_vf = true;
    assert_int_equal(pci_function_reset(function), STATUS_UNSUPPORTED);
    assert_int_equal(model_get(port, 0x3e, 2), 0);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(flr_is_believed_with_exceptions),
        TEST(the_gentlest_comes_first),
        TEST(sleepers_are_woken),
        TEST(who_sleeps_on_is_given_to_nobody),
        TEST(starting_does_not_wait),
        TEST(the_bus_has_its_time),
        TEST(a_link_that_stays_down),
        TEST(a_bus_reset_reaches_nobody_else),
        TEST(functions_of_one_guest_share_a_bus_reset),
        TEST(a_reset_that_was_none_is_noticed),
        TEST(registers_that_do_not_come_back),
        TEST(no_bridge_no_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
