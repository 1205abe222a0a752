/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/setup/pci_buses.c hypervisor/setup/pci_roots.c
// SOURCES: hypervisor/setup/pci_sriov.c hypervisor/setup/pci_sriov_ids.c
// SOURCES: hypervisor/setup/pci_enumerate.c hypervisor/pci/functions.c
// SOURCES: hypervisor/setup/pci_functions.c hypervisor/setup/pci_capabilities.c
// SOURCES: hypervisor/setup/pci_bars.c hypervisor/setup/pci_ram.c
// SOURCES: hypervisor/setup/pci_placement.c hypervisor/setup/pci_bridge_window.c
// SOURCES: hypervisor/pci/acs.c hypervisor/base/format.c hypervisor/base/status.c
// SOURCES: tests/unit/model/pci_model.c tests/unit/model/pci_routing.c
// SOURCES: hypervisor/setup/pci_known.c
/* Bus numbers for VFs behind ports that do not forward ARI: ranges that grow, move, or are full. */
#include <string.h>

#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/setup/pci.h"
#include "hypervisor/setup/pci_buses.h"
#include "hypervisor/setup/pci_roots.h"
#include "hypervisor/setup/pci_sriov.h"
#include "tests/unit/model/pci_model.h"
#include "tests/unit/support/host.h"

#define PORT_EXPRESS 0x54

static struct mcfg mcfg;
static struct config config;
static struct boot_info boot;

/* As the 82576 has it: without ARI the VFs are on the next bus. */
static const struct model_sriov igb = {
    .offset = 0x160,
    .total = 8,
    .initial = 8,
    .first_offset = 0x80,
    .first_offset_without_ari = 0x180,
    .stride = 2,
    .vf_device = 0x10ca,
    .supported_pages = 0x553,
    .bar = {[0] = {.size = 0x4000, .is_64bit = true, .prefetchable = true},
            [3] = {.size = 0x4000, .is_64bit = true, .prefetchable = true}},
};

static int fresh(void **state)
{
    model_clear();
    host_log_clear();
    host_clock_set(0);
    mcfg = (struct mcfg){.count = 1, .segment = {{.base = 0xa0000000, .end_bus = 255}}};
    config = (struct config){.nic_count = 1, .nics = {{.rid = RID(0, 1, 0, 0), .vfs = 8}}};
    boot = (struct boot_info){0};
    return 0;
}

/* A port that does not forward ARI. */
static struct model_function *add_port(rid_t rid, unsigned type, uint8_t secondary,
                                       uint8_t subordinate)
{
    struct model_function *port = model_bridge(rid, secondary, subordinate);
    model_pcie(port, PORT_EXPRESS, type, false);
    model_put(port, PORT_EXPRESS + PCIE_DEVICE_CAP2, 4, 0);
    return port;
}

static struct model_function *add_card(uint8_t bus, uint16_t device, const struct model_sriov *vfs)
{
    struct model_function *card = model_endpoint(RID(0, bus, 0, 0), 0x8086, device, 0x020000);
    model_pcie(card, 0xa0, 0, true);
    model_extended(card, 0x100, 1);
    model_extended(card, 0x150, PCI_EXT_CAP_ARI);
    if (vfs != NULL)
        model_sriov(card, vfs);
    return card;
}

static void make_room(void)
{
    assert_int_equal(pci_enumerate(&mcfg, &config), STATUS_OK);
    pci_roots_check(&boot);
    pci_buses_make_room(&config, &mcfg);
    assert_string_equal(model_last_violation(), "");
    assert_int_equal(model_stale(), 0);
    /* What the table says is what is there, and in order. */
    const struct pci_function *function, *before = NULL;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; before = function, i++) {
        assert_int_equal(pci_read16(function->rid, PCI_VENDOR_ID), function->vendor);
        assert_ptr_equal(pci_function_find(function->rid), function);
        assert_true(before == NULL || before->rid < function->rid);
        if (!function->is_bridge)
            continue;
        assert_int_equal(pci_read8(function->rid, PCI_BUS_NUMBERS), RID_BUS(function->rid));
        assert_int_equal(pci_read8(function->rid, PCI_SECONDARY_BUS), function->secondary_bus);
        assert_int_equal(pci_read8(function->rid, PCI_SUBORDINATE_BUS), function->subordinate_bus);
    }
}

/* Splits the card of a section and gives the id of its last VF. */
static rid_t last_vf(unsigned section)
{
    static struct sriov sriov[CONFIG_MAX_NICS];
    struct pci_function *pf = pci_function_find(config.nics[section].rid);
    assert_non_null(pf);
    assert_int_equal(sriov_probe(pf, &sriov[section]), STATUS_OK);
    assert_int_equal(sriov_enable(&sriov[section], 8), STATUS_OK);
    assert_int_equal(sriov_verify(&sriov[section]), STATUS_OK);
    assert_string_equal(model_last_violation(), "");
    return sriov_vf_rid(&sriov[section], 7);
}

static void a_range_grows_where_the_next_bus_is_free(void **state)
{
    struct model_function *port = add_port(RID(0, 0, 1, 0), PCIE_TYPE_ROOT_PORT, 1, 1);
    model_window(port, true, UINT64_C(0x800000000), UINT64_C(0x8000fffff));
    add_port(RID(0, 0, 2, 0), PCIE_TYPE_ROOT_PORT, 3, 3);
    add_card(1, 0x10c9, &igb);
    make_room();
    assert_int_equal(model_get(port, PCI_BUS_NUMBERS, 4), 0x020100);
    assert_int_equal(host_log_count("pci.buses", "bridge=00:01.0 buses=01-02 were=01-01"), 1);
    assert_int_equal(host_log_count("pci.moved", NULL), 0);
    assert_int_equal(last_vf(0), RID(0, 2, 0x11, 6));
}

/* The next port has the next number: the whole range goes where there are two. */
static void a_full_neighbourhood_makes_it_move(void **state)
{
    struct model_function *port = add_port(RID(0, 0, 1, 0), PCIE_TYPE_ROOT_PORT, 1, 1);
    model_window(port, true, UINT64_C(0x800000000), UINT64_C(0x8000fffff));
    add_port(RID(0, 0, 2, 0), PCIE_TYPE_ROOT_PORT, 2, 2);
    add_port(RID(0, 0, 3, 0), PCIE_TYPE_ROOT_PORT, 4, 4);
    struct model_function *card = add_card(1, 0x10c9, &igb), *other = add_card(2, 0x1533, NULL);
    config.guest_count = 1;
    config.guests[0].accepted_count = 2;
    config.guests[0].accept_reserved[0] = RID(0, 1, 0, 0);
    config.guests[0].accept_reserved[1] = RID(0, 2, 0, 0);
    make_room();
    assert_int_equal(model_get(port, PCI_BUS_NUMBERS, 4), 0x060500);
    assert_int_equal(card->rid, RID(0, 5, 0, 0));
    assert_int_equal(other->rid, RID(0, 2, 0, 0));
    assert_int_equal(host_log_count("pci.moved", "rid=05:00.0 was=01:00.0"), 1);
    assert_int_equal(host_log_count("pci.moved", NULL), 1);
    assert_int_equal(config.nics[0].rid, RID(0, 5, 0, 0));
    assert_int_equal(config.guests[0].accept_reserved[0], RID(0, 5, 0, 0));
    assert_int_equal(config.guests[0].accept_reserved[1], RID(0, 2, 0, 0));
    assert_int_equal(last_vf(0), RID(0, 6, 0x11, 6));
    /* Tables that firmware wrote speak of bus 1; of bus 5 they cannot. */
    assert_int_equal(pci_bus_now(0, 1), 5);
    assert_int_equal(pci_bus_now(0, 2), 2);
    assert_int_equal(pci_bus_now(0, 5), -1);
    assert_int_equal(pci_bus_now(0, 9), 9);
    assert_int_equal(pci_bus_now(1, 5), 5);
}

/* Two ports of one switch: the second one's bus follows, its card with it. */
static void behind_a_switch_what_comes_after_moves_up(void **state)
{
    struct model_function *root = add_port(RID(0, 0, 1, 0), PCIE_TYPE_ROOT_PORT, 1, 4);
    struct model_function *up = add_port(RID(0, 1, 0, 0), PCIE_TYPE_UPSTREAM, 2, 4);
    struct model_function *one = add_port(RID(0, 2, 0, 0), PCIE_TYPE_DOWNSTREAM, 3, 3);
    struct model_function *two = add_port(RID(0, 2, 1, 0), PCIE_TYPE_DOWNSTREAM, 4, 4);
    model_window(root, true, UINT64_C(0x800000000), UINT64_C(0x8000fffff));
    model_window(up, true, UINT64_C(0x800000000), UINT64_C(0x8000fffff));
    model_window(one, true, UINT64_C(0x800000000), UINT64_C(0x8000fffff));
    add_card(3, 0x10c9, &igb);
    struct model_function *after = add_card(4, 0x1533, NULL);
    config.nics[0].rid = RID(0, 3, 0, 0);
    make_room();
    assert_int_equal(model_get(root, PCI_BUS_NUMBERS, 4), 0x050100);
    assert_int_equal(model_get(up, PCI_BUS_NUMBERS, 4), 0x050201);
    assert_int_equal(model_get(one, PCI_BUS_NUMBERS, 4), 0x040302);
    assert_int_equal(model_get(two, PCI_BUS_NUMBERS, 4), 0x050502);
    assert_int_equal(after->rid, RID(0, 5, 0, 0));
    assert_int_equal(pci_rid_now(RID(0, 4, 0, 0)), after->rid);
    assert_int_equal(pci_rid_now(RID(0, 9, 0, 0)), RID(0, 9, 0, 0)); /* nothing was there */
    assert_int_equal(last_vf(0), RID(0, 4, 0x11, 6));
    assert_int_equal(pci_bus_now(0, 4), 5);
}

/* Bus 5 is another port's: the switch goes elsewhere as a whole. */
static void a_whole_switch_moves(void **state)
{
    struct model_function *root = add_port(RID(0, 0, 1, 0), PCIE_TYPE_ROOT_PORT, 1, 4);
    add_port(RID(0, 1, 0, 0), PCIE_TYPE_UPSTREAM, 2, 4);
    struct model_function *one = add_port(RID(0, 2, 0, 0), PCIE_TYPE_DOWNSTREAM, 3, 3);
    struct model_function *two = add_port(RID(0, 2, 1, 0), PCIE_TYPE_DOWNSTREAM, 4, 4);
    add_port(RID(0, 0, 2, 0), PCIE_TYPE_ROOT_PORT, 5, 5);
    add_card(3, 0x10c9, &igb);
    add_card(4, 0x1533, NULL);
    config.nics[0].by_id = true;
    config.nics[0].vendor = 0x8086;
    config.nics[0].device = 0x10c9;
    make_room();
    assert_int_equal(model_get(root, PCI_BUS_NUMBERS, 4), 0x0a0600);
    assert_int_equal(one->rid, RID(0, 7, 0, 0));
    assert_int_equal(model_get(one, PCI_BUS_NUMBERS, 4), 0x090807);
    assert_int_equal(model_get(two, PCI_BUS_NUMBERS, 4), 0x0a0a07);
    assert_int_equal(config.nics[0].rid, RID(0, 8, 0, 0));
    assert_false(config.nics[0].by_id);
}

static void two_cards_alike_keep_their_sections(void **state)
{
    add_port(RID(0, 0, 1, 0), PCIE_TYPE_ROOT_PORT, 1, 1);
    add_port(RID(0, 0, 2, 0), PCIE_TYPE_ROOT_PORT, 2, 2);
    struct model_function *first = add_card(1, 0x10c9, &igb), *second = add_card(2, 0x10c9, &igb);
    config.nic_count = 3;
    for (unsigned i = 0; i < 3; i++)
        config.nics[i] =
            (struct config_nic){.by_id = true, .vendor = 0x8086, .device = 0x10c9, .vfs = 4};
    make_room();
    assert_int_equal(first->rid, RID(0, 3, 0, 0));
    assert_int_equal(second->rid, RID(0, 1, 0, 0)); /* where the first one has left */
    assert_int_equal(config.nics[0].rid, first->rid);
    assert_int_equal(config.nics[1].rid, second->rid);
    assert_true(config.nics[2].by_id); /* there is no third one */
    assert_int_equal(pci_bus_now(0, 1), 3);
    assert_int_equal(pci_bus_now(0, 2), 1);
    assert_int_equal(host_log_count("pci.buses", NULL), 2);
}

static void nothing_moves_without_need(void **state)
{
    struct model_sriov image = igb;
    image.first_offset_without_ari = 1; /* functions of the PF's own device */
    image.stride = 1;
    for (unsigned need = 0; need < 4; need++) {
        (void)fresh(state);
        struct model_function *port = add_port(RID(0, 0, 1, 0), PCIE_TYPE_ROOT_PORT, 1, 1);
        add_card(1, 0x10c9, need == 0 ? &image : &igb);
        if (need == 1)
            model_put(port, PORT_EXPRESS + PCIE_DEVICE_CAP2, 4, 1u << 5); /* it forwards ARI */
        if (need == 2)
            config.nics[0].vfs = 0; /* the whole function is passed through */
        if (need == 3)
            config.nics[0].vfs = 9; /* more than there are: refused later */
        config.nics[0].vfs = need == 0 ? 7 : config.nics[0].vfs;
        make_room();
        assert_int_equal(model_get(port, PCI_BUS_NUMBERS, 4), 0x010100);
        assert_int_equal(host_log_count("pci.buses", NULL), 0);
    }
}

static void an_exhausted_range_is_refused(void **state)
{
    for (unsigned cause = 0; cause < 3; cause++) {
        (void)fresh(state);
        struct model_function *port = add_port(RID(0, 0, 1, 0), PCIE_TYPE_ROOT_PORT, 1, 1);
        add_port(RID(0, 0, 2, 0), PCIE_TYPE_ROOT_PORT, 2, 2);
        add_card(1, 0x10c9, &igb);
        if (cause == 0)
            mcfg.segment[0].end_bus = 3; /* no configuration space behind it */
        if (cause == 1) {                /* the next root bus */
            model_root_bus(4);
            model_endpoint(RID(0, 4, 0, 0), 0x8086, 1, 0x088000);
        }
        if (cause == 2) /* one that firmware alone knows */
            boot =
                (struct boot_info){.root_count = 2, .roots = {{.last_bus = 2}, {.first_bus = 4}}};
        make_room();
        assert_int_equal(model_get(port, PCI_BUS_NUMBERS, 4), 0x010100);
        assert_int_equal(
            host_log_count("sriov.refused", "pf=01:00.0 offset=0x174 value=384 buses=1"), 1);
        struct sriov sriov;
        assert_int_not_equal(sriov_probe(pci_function_find(RID(0, 1, 0, 0)), &sriov), STATUS_OK);
        assert_int_equal(host_log_count("sriov.refused", "could not be widened"), 1);
    }
}

/* A device that does not follow: everything is as it was. */
static void what_does_not_answer_goes_back(void **state)
{
    struct model_function *port = add_port(RID(0, 0, 1, 0), PCIE_TYPE_ROOT_PORT, 1, 2);
    struct model_function *bridge = model_bridge(RID(0, 1, 0, 1), 2, 2);
    add_port(RID(0, 0, 2, 0), PCIE_TYPE_ROOT_PORT, 3, 3);
    struct model_function *card = add_card(1, 0x10c9, &igb);
    model_put(card, 0x0e, 1, 0x80);
    struct model_function *stuck = model_endpoint(RID(0, 2, 0, 0), 0x1234, 1, 0x020000);
    card->sriov.first_offset_without_ari = 0x280;
    stuck->stuck = true;
    make_room();
    assert_int_equal(model_get(port, PCI_BUS_NUMBERS, 4), 0x020100);
    assert_int_equal(model_get(bridge, PCI_BUS_NUMBERS, 4), 0x020201);
    assert_int_equal(card->rid, RID(0, 1, 0, 0));
    assert_int_equal(stuck->rid, RID(0, 2, 0, 0));
    assert_int_equal(host_log_count("sriov.refused", "pf=01:00.0 silent=02:00.0"), 1);
    assert_int_equal(host_log_count("pci.moved", NULL), 0);
    assert_int_equal(config.nics[0].rid, RID(0, 1, 0, 0));
    assert_int_equal(pci_bus_now(0, 1), 1);
}

static void disorder_is_left_alone(void **state)
{
    struct model_function *port = add_port(RID(0, 0, 1, 0), PCIE_TYPE_ROOT_PORT, 1, 1);
    struct model_function *wild = model_bridge(RID(0, 1, 0, 1), 0x40, 0x90);
    add_port(RID(0, 0, 2, 0), PCIE_TYPE_ROOT_PORT, 2, 2);
    model_put(add_card(1, 0x10c9, &igb), 0x0e, 1, 0x80);
    make_room();
    assert_int_equal(model_get(port, PCI_BUS_NUMBERS, 4), 0x010100);
    assert_int_equal(model_get(wild, PCI_BUS_NUMBERS, 4), 0x904001);
    assert_int_equal(host_log_count("sriov.refused", "no range is free"), 1);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_range_grows_where_the_next_bus_is_free),
        TEST(a_full_neighbourhood_makes_it_move),
        TEST(behind_a_switch_what_comes_after_moves_up),
        TEST(a_whole_switch_moves),
        TEST(two_cards_alike_keep_their_sections),
        TEST(nothing_moves_without_need),
        TEST(an_exhausted_range_is_refused),
        TEST(what_does_not_answer_goes_back),
        TEST(disorder_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
