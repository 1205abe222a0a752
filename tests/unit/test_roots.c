/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/setup/pci_buses.c hypervisor/setup/pci_roots.c
// SOURCES: hypervisor/setup/pci_vf_probe.c
// SOURCES: hypervisor/setup/pci_sriov.c hypervisor/setup/pci_sriov_ids.c
// SOURCES: hypervisor/setup/pci_enumerate.c hypervisor/pci/functions.c
// SOURCES: hypervisor/setup/pci_functions.c hypervisor/setup/pci_capabilities.c
// SOURCES: hypervisor/setup/pci_bars.c hypervisor/setup/pci_ram.c
// SOURCES: hypervisor/setup/pci_placement.c hypervisor/setup/pci_bridge_window.c
// SOURCES: hypervisor/pci/acs.c hypervisor/base/format.c hypervisor/base/status.c
// SOURCES: tests/unit/model/pci_model.c tests/unit/model/pci_routing.c
// SOURCES: hypervisor/setup/pci_known.c
/* Root bridges: what is known of them, where VF BARs go, and whether these answer. */
#include <string.h>

#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/firmware_map.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/setup/pci.h"
#include "hypervisor/setup/pci_buses.h"
#include "hypervisor/setup/pci_roots.h"
#include "hypervisor/setup/pci_sriov.h"
#include "tests/unit/model/pci_model.h"
#include "tests/unit/support/host.h"

#define HIGH(n) (UINT64_C(0x4000000000) * (n))

static const struct mcfg mcfg = {.count = 1, .segment = {{.base = 0xe0000000, .end_bus = 255}}};
static struct boot_info boot;
static struct pci_function *pf;
static struct sriov sriov;

static const struct model_sriov igb = {
    .offset = 0x160,
    .total = 8,
    .initial = 8,
    .first_offset = 0x80,
    .stride = 2,
    .vf_device = 0x10ca,
    .supported_pages = 0x553,
    .bar = {[0] = {.size = 0x4000, .is_64bit = true, .prefetchable = true},
            [3] = {.size = 0x4000, .is_64bit = true, .prefetchable = true}},
};

/* --- memory: what the root bridges really forward, and the bridges below them --- */

static struct decoded {
    uint8_t bus;
    uint64_t base, end;
} decoded[8];
static unsigned decoded_count, reads;
static uint32_t register_value;

static bool forwarded_by(const struct model_function *bridge, uint64_t address)
{
    uint32_t memory = model_get(bridge, 0x20, 4), prefetch = model_get(bridge, 0x24, 4);
    uint64_t base = (uint64_t)(memory & 0xfff0) << 16, limit = (memory & 0xfff00000) | 0xfffff;
    if (address >= base && address <= limit)
        return true;
    base = (uint64_t)(prefetch & 0xfff0) << 16 | (uint64_t)model_get(bridge, 0x28, 4) << 32;
    limit = ((prefetch & 0xfff00000) | 0xfffff) | (uint64_t)model_get(bridge, 0x2c, 4) << 32;
    return address >= base && address <= limit;
}

static bool reaches_vf(uint64_t address)
{
    const struct pci_function *top = pf;
    PCI_FOR_EACH_UPWARD (bridge, pf->bridge) {
        if (!forwarded_by(model_find(bridge->rid), address))
            return false;
        top = bridge;
    }
    for (unsigned i = 0; i < decoded_count; i++)
        if (decoded[i].bus == RID_BUS(top->rid) && address >= decoded[i].base &&
            address < decoded[i].end)
            return true;
    return false;
}

uintptr_t map_device(uint64_t physical, uint64_t size)
{
    return physical;
}

void unmap(uintptr_t address, uint64_t size)
{
}

uint32_t mmio_read32(uintptr_t address)
{
    reads++;
    return reaches_vf(address) ? register_value : 0xffffffff;
}

static void decode(uint8_t bus, uint64_t base, uint64_t end)
{
    decoded[decoded_count++] = (struct decoded){bus, base, end};
}

/* --- two sockets, each with a window below 4 GiB and one far above --- */

static int fresh(void **state)
{
    model_clear();
    host_log_clear();
    host_clock_set(0);
    boot = (struct boot_info){0};
    decoded_count = reads = 0;
    register_value = 0;
    pf = NULL;
    return 0;
}

static void tell(uint32_t root, uint64_t base, uint64_t end)
{
    boot.root_windows[boot.root_window_count++] =
        (struct boot_root_window){.base = base, .size = end - base, .root = root};
}

static void two_sockets(void)
{
    boot.root_count = 2;
    boot.roots[0] = (struct boot_root){.first_bus = 0, .last_bus = 2};
    boot.roots[1] = (struct boot_root){.first_bus = 0x80, .last_bus = 0x82};
    tell(0, 0x90000000, 0xa0000000);
    tell(0, HIGH(1), HIGH(1) + GIB(64));
    tell(1, 0xc0000000, 0xd0000000);
    tell(1, HIGH(2), HIGH(2) + GIB(64));
    for (uint32_t i = 0; i < 4; i++)
        decode(boot.roots[boot.root_windows[i].root].first_bus, boot.root_windows[i].base,
               boot.root_windows[i].base + boot.root_windows[i].size);
    model_root_bus(0x80);
    struct model_function *other = model_endpoint(RID(0, 0, 5, 0), 0x1234, 1, 0x030000);
    model_bar(other, 0, (struct model_bar){.size = MIB(16), .base = 0x90000000});
}

static struct model_function *add_port(rid_t rid, unsigned type, uint8_t secondary,
                                       uint8_t subordinate)
{
    struct model_function *port = model_bridge(rid, secondary, subordinate);
    model_pcie(port, 0x54, type, false);
    return port;
}

static struct model_function *add_pf(rid_t rid, const struct model_sriov *capability)
{
    struct model_function *device = model_endpoint(rid, 0x8086, 0x10c9, 0x020000);
    model_pcie(device, 0xa0, 0, true);
    model_extended(device, 0x100, 1);
    model_extended(device, 0x150, PCI_EXT_CAP_ARI);
    model_sriov(device, capability);
    return device;
}

static enum status bring_up(rid_t rid, uint16_t vfs)
{
    if (pf == NULL) {
        assert_int_equal(pci_enumerate(&mcfg, NULL), STATUS_OK);
        pci_roots_check(&boot);
        pf = pci_function_find(rid);
        assert_non_null(pf);
    }
    enum status status = sriov_probe(pf, &sriov);
    if (status == STATUS_OK)
        status = sriov_enable(&sriov, vfs);
    if (status == STATUS_OK)
        status = sriov_verify(&sriov);
    assert_string_equal(model_last_violation(), "");
    return status;
}

static void expect_base(unsigned bar, uint64_t base)
{
    assert_int_equal(sriov.vf_bar[bar].base, base);
}

/* --- placement --- */

/* The lowest hole of the machine is the other socket's. */
static void each_card_stays_below_its_own_root(void **state)
{
    for (unsigned is_64bit = 0; is_64bit < 2; is_64bit++) {
        (void)fresh(state);
        struct model_sriov image = igb;
        image.bar[0].is_64bit = image.bar[3].is_64bit = is_64bit != 0;
        image.bar[0].prefetchable = image.bar[3].prefetchable = false;
        two_sockets();
        add_port(RID(0, 0x80, 1, 0), PCIE_TYPE_ROOT_PORT, 0x81, 0x81);
        add_pf(RID(0, 0x81, 0, 0), &image);
        assert_int_equal(bring_up(RID(0, 0x81, 0, 0), 8), STATUS_OK);
        expect_base(0, 0xc0000000);
        expect_base(3, 0xc0020000);
        assert_int_equal(host_log_count("pci.root", "buses=80-82 base=0x8000000000"), 1);
        assert_int_equal(host_log_count("sriov.enabled", NULL), 1);
    }
}

/* Two 64-bit BARs of 8 GiB in all fit nowhere below 4 GiB; both kinds of window are closed. */
static void a_large_bar_goes_above_4g(void **state)
{
    for (unsigned prefetchable = 0; prefetchable < 2; prefetchable++) {
        (void)fresh(state);
        struct model_sriov image = igb;
        image.bar[0] =
            (struct model_bar){.size = GIB(1), .is_64bit = true, .prefetchable = prefetchable != 0};
        image.bar[3].prefetchable = prefetchable != 0;
        two_sockets();
        struct model_function *port = add_port(RID(0, 0x80, 1, 0), PCIE_TYPE_ROOT_PORT, 0x81, 0x81);
        add_pf(RID(0, 0x81, 0, 0), &image);
        assert_int_equal(bring_up(RID(0, 0x81, 0, 0), 8), STATUS_OK);
        expect_base(0, HIGH(2));
        assert_int_equal(model_get(port, 0x28, 4), HIGH(2) >> 32);
    }
    /* A bridge to conventional PCI may read ahead in such a window. */
    (void)fresh(state);
    struct model_sriov image = igb;
    image.bar[0] = (struct model_bar){.size = GIB(1), .is_64bit = true};
    two_sockets();
    add_port(RID(0, 0x80, 1, 0), PCIE_TYPE_TO_PCI_BRIDGE, 0x81, 0x81);
    add_pf(RID(0, 0x81, 0, 0), &image);
    assert_int_equal(bring_up(RID(0, 0x81, 0, 0), 8), STATUS_NO_MEMORY);
    assert_int_equal(host_log_count("sriov.refused", "fits nowhere"), 1);
}

static void on_a_root_bus_its_own_windows_are_used(void **state)
{
    struct model_sriov image = igb;
    image.bar[0].base = 0x98000000; /* a free place, of the other root bridge */
    two_sockets();
    add_pf(RID(0, 0x80, 4, 0), &image);
    assert_int_equal(bring_up(RID(0, 0x80, 4, 0), 8), STATUS_OK);
    expect_base(0, 0xc0000000);
    assert_int_equal(host_log_count("sriov.placed", "bar=0 base=0xc0000000"), 1);
}

/* What firmware assigned is full; what lies around it is memory-mapped I/O, up to the next root. */
static void around_a_window_is_more(void **state)
{
    struct model_sriov image = igb;
    image.bar[0] = (struct model_bar){.size = MIB(1)};
    image.bar[3] = (struct model_bar){0};
    two_sockets();
    boot.root_windows[2].size = MIB(1);
    boot.root_windows[3].size = MIB(1);
    boot.root_windows[2].reach_base = 0xa0000000;
    boot.root_windows[2].reach_size = 0x40000000;
    struct model_function *port = add_port(RID(0, 0x80, 1, 0), PCIE_TYPE_ROOT_PORT, 0x81, 0x81);
    model_window(port, false, 0xc0000000, 0xc00fffff);
    struct model_function *device = add_pf(RID(0, 0x81, 0, 0), &image);
    model_bar(device, 0, (struct model_bar){.size = MIB(1), .base = 0xc0000000});
    assert_int_equal(bring_up(RID(0, 0x81, 0, 0), 8), STATUS_OK);
    expect_base(0, 0xc0100000);
    assert_int_equal(host_log_count("pci.window", "bridge=80:01.0 base=0xc0000000 size=9M"), 1);
    /* Nothing is known of what is around it: nowhere. */
    (void)fresh(state);
    two_sockets();
    boot.root_windows[2].size = MIB(1);
    boot.root_windows[3].size = MIB(1);
    port = add_port(RID(0, 0x80, 1, 0), PCIE_TYPE_ROOT_PORT, 0x81, 0x81);
    model_window(port, false, 0xc0000000, 0xc00fffff);
    device = add_pf(RID(0, 0x81, 0, 0), &image);
    model_bar(device, 0, (struct model_bar){.size = MIB(1), .base = 0xc0000000});
    assert_int_equal(bring_up(RID(0, 0x81, 0, 0), 8), STATUS_NO_MEMORY);
    assert_int_equal(model_get(port, 0x20, 4), 0xc000c000);
}

/* Root port, switch, and the card behind it: all three windows grow, or none does. */
static void windows_above_a_switch_grow(void **state)
{
    for (unsigned closed = 0; closed < 2; closed++) {
        (void)fresh(state);
        two_sockets();
        struct model_function *port[] = {
            add_port(RID(0, 0x80, 1, 0), PCIE_TYPE_ROOT_PORT, 0x81, 0x83),
            add_port(RID(0, 0x81, 0, 0), PCIE_TYPE_UPSTREAM, 0x82, 0x83),
            add_port(RID(0, 0x82, 0, 0), PCIE_TYPE_DOWNSTREAM, 0x83, 0x83),
        };
        boot.roots[1].last_bus = 0x83;
        struct model_sriov image = igb;
        image.bar[0].size = MIB(1);
        struct model_function *device = add_pf(RID(0, 0x83, 0, 0), &image);
        for (unsigned i = 0; i < 3 && !closed; i++)
            model_window(port[i], true, HIGH(2), HIGH(2) + MIB(1) - 1);
        if (!closed)
            model_bar(device, 0,
                      (struct model_bar){
                          .size = MIB(1), .base = HIGH(2), .is_64bit = true, .prefetchable = true});
        assert_int_equal(bring_up(RID(0, 0x83, 0, 0), 8), STATUS_OK);
        expect_base(0, closed ? 0xc0000000 : HIGH(2) + MIB(1));
        assert_true(reads > 0);
        assert_int_equal(host_log_count("pci.window", closed ? "size=8M" : "size=9M"), 3);
    }
}

static void what_grew_in_vain_shrinks_again(void **state)
{
    two_sockets();
    struct model_function *root = add_port(RID(0, 0x80, 1, 0), PCIE_TYPE_ROOT_PORT, 0x81, 0x84);
    struct model_function *up = add_port(RID(0, 0x81, 0, 0), PCIE_TYPE_UPSTREAM, 0x82, 0x84);
    struct model_function *one = add_port(RID(0, 0x82, 0, 0), PCIE_TYPE_DOWNSTREAM, 0x83, 0x83);
    struct model_function *two = add_port(RID(0, 0x82, 1, 0), PCIE_TYPE_DOWNSTREAM, 0x84, 0x84);
    boot.roots[1].last_bus = 0x84;
    /* The neighbour's window is where the card's would have to grow, on either side. */
    model_window(root, false, 0xc0000000, 0xc02fffff);
    model_window(up, false, 0xc0000000, 0xc02fffff);
    model_window(one, false, 0xc0100000, 0xc01fffff);
    model_window(two, false, 0xc0200000, 0xc02fffff);
    model_bar(model_endpoint(RID(0, 0x82, 2, 0), 0x1234, 1, 0x020000), 0,
              (struct model_bar){.size = MIB(1), .base = 0xc0000000});
    struct model_sriov image = igb;
    image.bar[0] = (struct model_bar){.size = MIB(1)};
    image.bar[3] = (struct model_bar){0};
    add_pf(RID(0, 0x83, 0, 0), &image);
    assert_int_equal(bring_up(RID(0, 0x83, 0, 0), 8), STATUS_NO_MEMORY);
    assert_int_equal(model_get(root, 0x20, 4), 0xc020c000);
    assert_int_equal(model_get(up, 0x20, 4), 0xc020c000);
    assert_int_equal(model_get(one, 0x20, 4), 0xc010c010);
    assert_int_equal(host_log_count("pci.window", NULL), 0);
}

/* All at once: a port without ARI, no bus number after its own, VF BARs that firmware left without
 * addresses, windows full, and neighbours' windows on either side. */
static void an_old_desktop(void **state)
{
    struct model_sriov image = igb;
    image.first_offset_without_ari = 0x180;
    image.bar[0].prefetchable = image.bar[3].prefetchable = false;
    boot.root_count = 1;
    tell(0, 0xd0000000, 0xd0300000);
    tell(0, HIGH(1), HIGH(1) + MIB(1));
    boot.root_windows[1].reach_base = HIGH(1);
    boot.root_windows[1].reach_size = GIB(64);
    decode(0, 0xd0000000, 0xd0300000);
    decode(0, HIGH(1), HIGH(1) + GIB(64));
    struct model_function *port[3];
    for (unsigned i = 0; i < 3; i++) {
        port[i] =
            add_port(RID(0, 0, 0x1c, i), PCIE_TYPE_ROOT_PORT, (uint8_t)(i + 1), (uint8_t)(i + 1));
        model_put(port[i], 0x0e, 1, 0x81);
        model_put(port[i], 0x54 + PCIE_DEVICE_CAP2, 4, 0);
        model_window(port[i], false, 0xd0000000 + MIB(1) * i, 0xd0000000 + MIB(1) * (i + 1) - 1);
    }
    model_bar(add_pf(RID(0, 2, 0, 0), &image), 0,
              (struct model_bar){.size = MIB(1), .base = 0xd0100000});
    model_bar(model_endpoint(RID(0, 0, 2, 0), 0x1234, 1, 0x030000), 2,
              (struct model_bar){.size = MIB(1), .base = HIGH(1), .is_64bit = true});
    struct config config = {.nic_count = 1, .nics = {{.rid = RID(0, 2, 0, 0), .vfs = 8}}};
    assert_int_equal(pci_enumerate(&mcfg, &config), STATUS_OK);
    pci_roots_check(&boot);
    pci_buses_make_room(&config, &mcfg);
    pf = pci_function_find(config.nics[0].rid);
    assert_int_equal(pf->rid, RID(0, 4, 0, 0));
    assert_int_equal(bring_up(pf->rid, 8), STATUS_OK);
    assert_int_equal(sriov_vf_rid(&sriov, 7), RID(0, 5, 0x11, 6));
    expect_base(0, HIGH(1) + MIB(1));
    assert_true(reads > 0);
    assert_int_equal(model_stale(), 0);
}

/* --- lies --- */

static void windows_that_contradict_are_not_used(void **state)
{
    static const struct {
        uint32_t index, flags, root;
        uint64_t base, size;
        const char *word;
        unsigned refused;
    } lies[] = {
        {2, 0, 1, 0x98000000, 0x10000000, "another root bridge claims", 2},
        {2, 0, 1, 0x90000000, 0x1000000, "another root bridge claims", 2},
        {2, 0, 1, 0x80000000, 0x10000000, "has RAM there", 1},
        {2, 0, 1, 0xc0000000, 0, "contradict each other", 1},
        {2, 0, 1, UINT64_MAX - 0xfff, 0x2000, "contradict each other", 1},
        {2, 0, 1, BIT(52) - 0x1000, 0x2000, "contradict each other", 1},
        {2, BOOT_WINDOW_CONTRADICTORY, 1, 0xc0000000, 0x1000000, "contradict each other", 1},
        {2, BOOT_WINDOW_TRANSLATED, 1, 0xc0000000, 0x1000000, "devices see other addresses", 1},
        {2, 0, 9, 0xc0000000, 0x1000000, "belongs to no root bridge", 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
        (void)fresh(state);
        struct model_sriov image = igb;
        image.bar[0].is_64bit = image.bar[3].is_64bit = false;
        two_sockets();
        model_frame(MIB(1), 0x88000000 - MIB(1), OWNER_NOBODY);
        boot.root_windows[lies[i].index] = (struct boot_root_window){.base = lies[i].base,
                                                                     .size = lies[i].size,
                                                                     .root = lies[i].root,
                                                                     .flags = lies[i].flags};
        add_port(RID(0, 0x80, 1, 0), PCIE_TYPE_ROOT_PORT, 0x81, 0x81);
        add_pf(RID(0, 0x81, 0, 0), &image);
        assert_int_equal(bring_up(RID(0, 0x81, 0, 0), 8), STATUS_NO_MEMORY);
        assert_int_equal(host_log_count("pci.refused", lies[i].word), lies[i].refused);
        assert_int_equal(host_log_count("pci.root", NULL), 4 - lies[i].refused);
    }
}

static void a_window_with_foreign_registers_is_not_used(void **state)
{
    two_sockets();
    model_bar(model_endpoint(RID(0, 0, 6, 0), 0x1234, 1, 0x030000), 0,
              (struct model_bar){.size = MIB(1), .base = 0xc8000000});
    add_port(RID(0, 0x80, 1, 0), PCIE_TYPE_ROOT_PORT, 0x81, 0x81);
    add_pf(RID(0, 0x81, 0, 0), &igb);
    assert_int_equal(bring_up(RID(0, 0x81, 0, 0), 8), STATUS_OK);
    assert_int_equal(host_log_count("pci.refused", "base=0xc0000000"), 1);
    expect_base(0, HIGH(2));
}

/* All windows of all root bridges are refused: nothing is guessed on such a machine. */
static void a_list_of_lies_is_no_list(void **state)
{
    two_sockets();
    for (uint32_t i = 0; i < 4; i++)
        boot.root_windows[i].flags = BOOT_WINDOW_TRANSLATED;
    add_port(RID(0, 0x80, 1, 0), PCIE_TYPE_ROOT_PORT, 0x81, 0x81);
    add_pf(RID(0, 0x81, 0, 0), &igb);
    assert_int_equal(bring_up(RID(0, 0x81, 0, 0), 8), STATUS_NO_MEMORY);
    struct pci_root_area area;
    assert_false(pci_root_area(pf, 0, &area));
    assert_true(pci_roots_many());
}

static void without_a_list_it_is_guessed_and_tried(void **state)
{
    model_root_bus(0x80);
    model_bar(model_endpoint(RID(0, 0, 5, 0), 0x1234, 1, 0x030000), 0,
              (struct model_bar){.size = MIB(16), .base = 0x90000000});
    add_port(RID(0, 0x80, 1, 0), PCIE_TYPE_ROOT_PORT, 0x81, 0x81);
    struct model_function *device = add_pf(RID(0, 0x81, 0, 0), &igb);
    decode(0x80, 0xc0000000, 0xd0000000);
    decode(0x80, HIGH(2), HIGH(2) + GIB(64));
    assert_int_equal(bring_up(RID(0, 0x81, 0, 0), 8), STATUS_DEVICE);
    assert_int_equal(host_log_count("pci.root", "the loader cannot tell"), 1);
    expect_base(0, 0x91000000); /* the other socket's */
    assert_int_equal(host_log_count("sriov.refused", "rid=81:10.0 bar=0 base=0x91000000"), 1);
    assert_int_equal(host_log_count("sriov.enabled", NULL), 0);
    assert_int_equal(model_get(device, 0x168, 2) & 9, 0);
    assert_int_equal(pci_function_count(), 3);
}

/* The first VF's registers are forwarded, the last one's are not. */
static void the_last_vf_is_tried_as_well(void **state)
{
    two_sockets();
    decoded[2].end = 0xc0001000 + 0x4000 * 7;
    add_port(RID(0, 0x80, 1, 0), PCIE_TYPE_ROOT_PORT, 0x81, 0x81);
    struct model_sriov image = igb;
    image.bar[3] = (struct model_bar){0};
    add_pf(RID(0, 0x81, 0, 0), &image);
    assert_int_equal(bring_up(RID(0, 0x81, 0, 0), 8), STATUS_OK);
    (void)fresh(state);
    two_sockets();
    decoded[2].end = 0xc0000000 + 0x4000 * 7;
    add_port(RID(0, 0x80, 1, 0), PCIE_TYPE_ROOT_PORT, 0x81, 0x81);
    add_pf(RID(0, 0x81, 0, 0), &image);
    assert_int_equal(bring_up(RID(0, 0x81, 0, 0), 8), STATUS_DEVICE);
    assert_int_equal(host_log_count("sriov.refused", "rid=81:11.6 bar=0"), 1);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_card_stays_below_its_own_root),
        TEST(a_large_bar_goes_above_4g),
        TEST(on_a_root_bus_its_own_windows_are_used),
        TEST(around_a_window_is_more),
        TEST(windows_above_a_switch_grow),
        TEST(what_grew_in_vain_shrinks_again),
        TEST(an_old_desktop),
        TEST(windows_that_contradict_are_not_used),
        TEST(a_window_with_foreign_registers_is_not_used),
        TEST(a_list_of_lies_is_no_list),
        TEST(without_a_list_it_is_guessed_and_tried),
        TEST(the_last_vf_is_tried_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
