/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/setup/pci_enumerate.c hypervisor/pci/functions.c
// SOURCES: hypervisor/setup/pci_roots.c
// SOURCES: hypervisor/setup/pci_functions.c hypervisor/setup/pci_capabilities.c
// SOURCES: hypervisor/setup/pci_bars.c hypervisor/setup/pci_ram.c
// SOURCES: hypervisor/setup/pci_placement.c hypervisor/setup/pci_bridge_window.c
// SOURCES: hypervisor/base/format.c hypervisor/base/status.c tests/unit/model/pci_model.c
// SOURCES: tests/unit/model/pci_routing.c
// SOURCES: hypervisor/setup/pci_known.c
/* Finding functions: order of the first accesses, bridges that lie, capability lists, BARs. */
#include <string.h>
#include <time.h>

#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/setup/pci_capabilities.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/setup/pci.h"
#include "hypervisor/setup/pci_functions.h"
#include "tests/unit/model/pci_model.h"
#include "tests/unit/support/host.h"

static const struct mcfg mcfg = {
    .count = 1,
    .segment = {{.base = 0xe0000000, .segment = 0, .start_bus = 0, .end_bus = 255}},
};

static int fresh(void **state)
{
    model_clear();
    host_log_clear();
    host_clock_set(0);
    return 0;
}

static void enumerate(void)
{
    assert_int_equal(pci_enumerate(&mcfg, NULL), STATUS_OK);
    assert_int_equal(model_violations(), 0);
}

static void bus_mastering_goes_before_sizing(void **state)
{
    struct model_function *nic = model_endpoint(RID(0, 0, 2, 0), 0x8086, 0x100e, 0x020000);
    struct model_function *late = model_endpoint(RID(0, 0, 31, 0), 0x8086, 0x2922, 0x010601);
    model_bar(nic, 0, (struct model_bar){.size = 0x20000, .base = 0xfe000000});
    model_put(nic, 4, 2, 7);
    model_put(late, 4, 2, 7);
    model_endpoint(RID(0, 0, 4, 0), 0x8086, 0x293a, 0x0c0320);
    model_endpoint(RID(0, 0, 5, 0), 0x8086, 0x293b, 0x0c0320);
    model_silenced(RID(0, 0, 4, 0));
    struct model_function *bridge = model_bridge(RID(0, 0, 3, 0), 1, 1);
    model_put(bridge, 4, 2, 7);
    enumerate();
    assert_int_equal(model_bus_masters(), 0);
    assert_int_equal(model_masters_while_sizing(), 0);
    assert_int_equal(model_get(bridge, 4, 2), 7);
    assert_int_equal(model_get(nic, 4, 2), 3); /* decoding as it was */
    /* Who had it is known: the sweep before, or this one, has seen it. */
    assert_true(pci_function_find(RID(0, 0, 2, 0))->firmware_master &&
                pci_function_find(RID(0, 0, 4, 0))->firmware_master);
    assert_false(pci_function_find(RID(0, 0, 5, 0))->firmware_master);
    assert_int_equal(model_get(nic, 0x10, 4), 0xfe000000);
}

/* Until its domain is there; firmware may also have left it off. */
static void a_display_of_the_chipset_goes_on(void **state)
{
    struct model_function *display = model_endpoint(RID(0, 0, 2, 0), 0x8086, 0x46d1, 0x030000);
    struct model_function *off = model_endpoint(RID(0, 0, 3, 0), 0x8086, 0x46d2, 0x038000);
    model_put(display, 4, 2, 7);
    model_bridge(RID(0, 0, 1, 0), 1, 1);
    struct model_function *card = model_endpoint(RID(0, 1, 0, 0), 0x10de, 1, 0x030000);
    model_put(card, 4, 2, 7);
    enumerate();
    assert_int_equal(model_get(display, 4, 2), 7);
    assert_true(pci_function_find(RID(0, 0, 2, 0))->firmware_master);
    assert_int_equal(model_get(off, 4, 2) & 4, 0);
    assert_false(pci_function_find(RID(0, 0, 3, 0))->firmware_master);
    assert_int_equal(model_get(card, 4, 2), 3);
}

static void bars_of_every_kind(void **state)
{
    struct model_function *f = model_endpoint(RID(0, 0, 2, 0), 0x8086, 1, 0x020000);
    model_bar(f, 0, (struct model_bar){.size = 0x20000, .base = 0xfe000000});
    model_bar(f, 1, (struct model_bar){.size = 32, .base = 0xc000, .io = true});
    model_bar(
        f, 2,
        (struct model_bar){
            .size = 0x4000, .base = UINT64_C(0x800000000), .is_64bit = true, .prefetchable = true});
    model_bar(f, 4,
              (struct model_bar){.size = GIB(8), .base = UINT64_C(0x4000000000), .is_64bit = true});
    enumerate();
    const struct pci_function *p = pci_function_find(RID(0, 0, 2, 0));
    assert_non_null(p);
    assert_int_equal(p->bar[0].size, 0x20000);
    assert_int_equal(p->bar[0].base, 0xfe000000);
    assert_true(p->bar[1].io);
    assert_int_equal(p->bar[1].size, 32);
    assert_int_equal(p->bar[1].base, 0xc000);
    assert_true(p->bar[2].is_64bit && p->bar[2].prefetchable);
    assert_int_equal(p->bar[2].base, UINT64_C(0x800000000));
    assert_int_equal(p->bar[2].size, 0x4000);
    assert_int_equal(p->bar[3].size, 0);
    assert_int_equal(p->bar[4].size, GIB(8));
    assert_int_equal(p->bar[4].base, UINT64_C(0x4000000000));
    assert_int_equal(model_get(f, 0x24, 4), 0x40);
}

static void impossible_bars_are_absent(void **state)
{
    struct model_function *f = model_endpoint(RID(0, 0, 2, 0), 0x8086, 1, 0x020000);
    model_writable(f, 0x10, 4, 0x00ff0000); /* a mask with a hole at the top */
    model_put(f, 0x14, 4, 0x00000002);      /* "below 1 MiB" */
    model_writable(f, 0x14, 4, 0xfff00000);
    model_put(f, 0x24, 4, 0x00000004); /* 64-bit in the last register */
    model_writable(f, 0x24, 4, 0xfff00000);
    enumerate();
    const struct pci_function *p = pci_function_find(RID(0, 0, 2, 0));
    for (unsigned i = 0; i < PCI_BARS; i++)
        assert_int_equal(p->bar[i].size, 0);
}

static void a_bar_over_ram_is_not_believed(void **state)
{
    model_frame(MIB(1), MIB(511), OWNER_NOBODY);
    struct model_function *f = model_endpoint(RID(0, 0, 2, 0), 0x8086, 1, 0x020000);
    model_bar(f, 0, (struct model_bar){.size = 0x20000, .base = 0x10000000});
    enumerate();
    assert_int_equal(pci_function_find(RID(0, 0, 2, 0))->bar[0].base, 0);
    assert_int_equal(host_log_count("pci.refused", "bar=0"), 1);
}

static void bridges_are_followed_once(void **state)
{
    model_bridge(RID(0, 0, 1, 0), 1, 3);
    model_bridge(RID(0, 1, 0, 0), 2, 2);
    model_endpoint(RID(0, 2, 0, 0), 0x8086, 2, 0x020000);
    model_bridge(RID(0, 0, 4, 0), 1, 1); /* the same bus again */
    model_bridge(RID(0, 1, 1, 0), 0, 0); /* unconfigured */
    model_bridge(RID(0, 2, 1, 0), 1, 9); /* a loop upwards */
    model_bridge(RID(0, 2, 2, 0), 7, 7); /* outside what is forwarded to it */
    enumerate();
    const struct pci_function *f = pci_function_find(RID(0, 2, 0, 0));
    assert_non_null(f);
    assert_non_null(f->bridge);
    assert_int_equal(f->bridge->rid, RID(0, 1, 0, 0));
    assert_int_equal(f->bridge->bridge->rid, RID(0, 0, 1, 0));
    assert_null(f->bridge->bridge->bridge);
    assert_int_equal(f->bridge->owner, OWNER_HYPERVISOR);
    assert_int_equal(f->owner, OWNER_NOBODY);
    assert_int_equal(host_log_count("pci.refused", "secondary="), 3);
    assert_int_equal(pci_secondary_bus(0, 0x0008, NULL), 1);
    assert_int_equal(pci_secondary_bus(0, 0x0200, NULL), -1);
}

static void peer_root_buses_are_found(void **state)
{
    model_endpoint(RID(0, 0, 0, 0), 0x8086, 1, 0x060000);
    model_root_bus(0x80);
    model_endpoint(RID(0, 0x80, 5, 0), 0x8086, 2, 0x020000);
    enumerate();
    assert_non_null(pci_function_find(RID(0, 0x80, 5, 0)));
    assert_int_equal(pci_function_find(RID(0, 0, 0, 0))->owner, OWNER_HYPERVISOR);
    assert_int_equal(pci_function_count(), 2);
}

static void functions_of_multi_function_devices(void **state)
{
    struct model_function *f = model_endpoint(RID(0, 0, 5, 0), 0x8086, 1, 0x020000);
    model_put(f, 0x0e, 1, 0x80);
    model_endpoint(RID(0, 0, 5, 7), 0x8086, 2, 0x020000);
    model_endpoint(RID(0, 0, 6, 0), 0x8086, 3, 0x020000);
    model_endpoint(RID(0, 0, 6, 1), 0x8086, 4, 0x020000); /* an alias: not multi-function */
    enumerate();
    assert_non_null(pci_function_find(RID(0, 0, 5, 7)));
    assert_null(pci_function_find(RID(0, 0, 6, 1)));
}

/* Function 13 of a device stands where function 5 of device 1 would be. */
static void functions_above_7_are_found(void **state)
{
    for (int forwarded = 0; forwarded < 2; forwarded++) {
        (void)fresh(state);
        struct model_function *port = model_bridge(RID(0, 0, 1, 0), 1, 1);
        model_pcie(port, 0x40, PCIE_TYPE_ROOT_PORT, false);
        model_put(port, 0x40 + PCIE_DEVICE_CONTROL2, 2, forwarded ? PCIE_DEVICE_CONTROL2_ARI : 0);
        model_endpoint(RID(0, 1, 0, 0), 0x8086, 1, 0x020000);
        model_put(model_endpoint(RID(0, 1, 1, 5), 0x8086, 2, 0x020000), 4, 2, 7);
        enumerate();
        const struct pci_function *f = pci_function_find(RID(0, 1, 1, 5));
        assert_int_equal(f != NULL, forwarded);
        if (forwarded)
            assert_int_equal(pci_read16(f->rid, PCI_COMMAND), 3);
    }
}

static void fill_bus(unsigned bus, uint32_t class_code)
{
    for (unsigned device = 0; device < 32; device++)
        for (unsigned function = 0; function < 8; function++) {
            struct model_function *f =
                model_endpoint(RID(0, bus, device, function), 0x8086, 1, class_code);
            model_put(f, 0x0e, 1, 0x80);
            model_put(f, 4, 2, 4);
        }
}

/* Eight buses of them, and a bridge behind each of which there is another card. */
static void a_full_table_still_takes_bus_mastering(void **state)
{
    for (unsigned bus = 1; bus <= 8; bus++) {
        model_bridge(RID(0, 0, bus, 0), (uint8_t)bus, (uint8_t)bus);
        fill_bus(bus, 0x020000);
    }
    model_bridge(RID(0, 0, 31, 0), 9, 9);
    model_put(model_endpoint(RID(0, 9, 0, 0), 0x8086, 2, 0x020000), 4, 2, 4);
    enumerate();
    assert_int_equal(pci_function_count(), PCI_MAX_FUNCTIONS * 3 / 4);
    assert_int_equal(host_log_count("pci.refused", "rid=06:1e.7 functions=522 limit=2048"), 1);
    assert_int_equal(host_log_count("pci.summary", "left_out=522"), 1);
    assert_int_equal(model_bus_masters(), 0);
}

/* A machine of several sockets: 2000 functions of the chipset's first, and behind a bridge that is
 * found last the card. None of the former is written to, but for bus mastering. */
static void a_machine_with_two_thousand_functions(void **state)
{
    for (unsigned i = 0; i < 8; i++) {
        if (i != 0)
            model_root_bus((uint8_t)(0x10 * i));
        fill_bus(0x10 * i, i % 2 == 0 ? 0x088000 : 0x110100);
    }
    model_root_bus(0xf0);
    model_bridge(RID(0, 0xf0, 1, 0), 0xf1, 0xf2);
    model_bridge(RID(0, 0xf1, 0, 0), 0xf2, 0xf2);
    struct model_function *nic = model_endpoint(RID(0, 0xf2, 0, 0), 0x8086, 0x10c9, 0x020000);
    model_bar(nic, 0, (struct model_bar){.size = 0x20000, .base = 0xfe000000});
    const struct model_function *f;
    for (size_t i = 0; (f = model_at(i)) != NULL; i++)
        if (f != nic && (f->config[0x0e] & 0x7f) == 0)
            ((struct model_function *)(uintptr_t)f)->no_bars = true;
    clock_t before = clock();
    enumerate();
    /* 65536 looks at the model, and nothing that grows with the square of the functions. */
    assert_in_range(clock() - before, 0, 20 * CLOCKS_PER_SEC);
    const struct pci_function *found = pci_function_find(RID(0, 0xf2, 0, 0));
    assert_non_null(found);
    assert_int_equal(found->bridge->bridge->rid, RID(0, 0xf0, 1, 0));
    assert_int_equal(found->bar[0].size, 0x20000);
    assert_int_equal(pci_function_count(), PCI_MAX_FUNCTIONS / 2 + 3);
    assert_int_equal(host_log_count("pci.summary", "peripherals=1024 left_out=1024"), 1);
    assert_int_equal(host_log_count("pci.function", NULL), 3);
    assert_int_equal(model_bus_masters(), 0);
}

static const struct {
    uint16_t device;
} without_bars[] = {{0x2fc0}, {0x6f60}, {0x6fa0}, {0x6fc0}, {0xa1ec}, {0xa1ed}, {0xa26c}, {0xa26d}};

static void what_is_no_bar_is_not_written(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(without_bars); i++) {
        struct model_function *f =
            model_endpoint(RID(0, 0, i, 0), 0x8086, without_bars[i].device, 0x068000);
        model_bar(f, 0, (struct model_bar){.size = 0x1000, .base = 0xfe000000});
        model_put(f, 4, 2, 3);
        f->no_bars = true;
    }
    struct config config = {.nic_count = 1, .nics = {{.rid = RID(0, 0, 2, 0)}}};
    assert_int_equal(pci_enumerate(&mcfg, &config), STATUS_OK); /* nor if it is asked for */
    assert_string_equal(model_last_violation(), "");
    for (size_t i = 0; i < ARRAY_SIZE(without_bars); i++) {
        const struct pci_function *p = pci_function_find(RID(0, 0, i, 0));
        assert_int_equal(p->bar[0].base | p->bar[0].size, 0);
        assert_int_equal(pci_read16(p->rid, PCI_COMMAND), 3);
    }
}

/* Where they lie is known all the same, so that nothing else is put there. */
static void the_chipsets_own_are_sized_only_on_request(void **state)
{
    static const uint32_t classes[] = {0x080501, 0x118000, 0x020000};
    for (unsigned asked = 0; asked < 3; asked++) {
        (void)fresh(state);
        for (unsigned i = 0; i < 3; i++) {
            struct model_function *f =
                model_endpoint(RID(0, 0, 2 + i, 0), 0x8086, 0x100 + i, classes[i]);
            model_bar(f, 0, (struct model_bar){.size = 0x20000, .base = 0xfe000000 + 0x20000 * i});
            model_bar(f, 2,
                      (struct model_bar){.size = GIB(8),
                                         .base = UINT64_C(0x4000000000) + GIB(8) * i,
                                         .is_64bit = true});
            f->no_bars = i < 2 && i + 1 != asked;
        }
        struct config config = {
            .nic_count = 1,
            .nics = {{.by_id = asked == 2, .vendor = 0x8086, .device = 0x101, .rid = 0x0010}}};
        assert_int_equal(pci_enumerate(&mcfg, asked != 0 ? &config : NULL), STATUS_OK);
        assert_string_equal(model_last_violation(), "");
        for (unsigned i = 0; i < 3; i++) {
            const struct pci_function *p = pci_function_find(RID(0, 0, 2 + i, 0));
            bool sized = i == 2 || i + 1 == asked;
            assert_int_equal(p->bar[0].base, 0xfe000000 + 0x20000 * i);
            assert_int_equal(p->bar[0].size, sized ? 0x20000 : 0x1000);
            assert_int_equal(p->bar[2].base, UINT64_C(0x4000000000) + GIB(8) * i);
            assert_int_equal(p->bar[2].size, sized ? GIB(8) : 0x1000);
            assert_true(p->bar[2].is_64bit);
            assert_int_equal(p->bar[3].size, 0);
        }
    }
}

static void capability_lists(void **state)
{
    struct model_function *f = model_endpoint(RID(0, 0, 2, 0), 0x8086, 1, 0x020000);
    model_capability(f, 0x40, PCI_CAP_PM);
    model_capability(f, 0x50, PCI_CAP_MSI);
    model_msix(f, 0x70, 10, 3, 0x2003);
    model_pcie(f, 0xa0, 0, true);
    model_extended(f, 0x100, 1);
    model_extended(f, 0x150, PCI_EXT_CAP_ARI);
    model_extended(f, 0x1a0, PCI_EXT_CAP_ATS);
    model_put(f, 0x1a6, 2, 0x8003); /* enabled by firmware */
    model_writable(f, 0x1a6, 2, 0x801f);
    enumerate();
    const struct pci_function *p = pci_function_find(RID(0, 0, 2, 0));
    assert_int_equal(p->cap_pm, 0x40);
    assert_int_equal(p->cap_msi, 0x50);
    assert_int_equal(p->cap_msix, 0x70);
    assert_int_equal(p->cap_pcie, 0xa0);
    assert_int_equal(p->cap_ari, 0x150);
    assert_int_equal(p->cap_ats, 0x1a0);
    assert_int_equal(pci_config_read(p->rid, 0x1a6, 2), 3); /* off, the page size as it was */
    assert_int_equal(p->cap_sriov, 0);
    assert_int_equal(p->pcie_type, 0);
}

static void hostile_capability_lists_end(void **state)
{
    rid_t rid = RID(0, 0, 2, 0);
    struct model_function *f = model_endpoint(rid, 0x8086, 1, 0x020000);
    model_capability(f, 0x40, 9);
    model_capability(f, 0x50, 9);
    model_put(f, 0x51, 1, 0x40); /* a loop */
    assert_int_equal(pci_capability_find(rid, PCI_CAP_PCIE), 0);
    model_put(f, 0x51, 1, 0x10); /* into the header */
    assert_int_equal(pci_capability_find(rid, PCI_CAP_PCIE), 0);
    model_put(f, 0x51, 1, 0xfc); /* a PCIe capability that sticks out */
    model_put(f, 0xfc, 2, PCI_CAP_PCIE);
    assert_int_equal(pci_capability_find(rid, PCI_CAP_PCIE), 0);
    model_put(f, 0x100, 4, 0x1000ffee); /* a loop in extended space */
    assert_int_equal(pci_extended_capability_find(rid, PCI_EXT_CAP_ACS), 0);
    model_put(f, 0x100, 4, 0x0401ffee); /* a pointer below it */
    assert_int_equal(pci_extended_capability_find(rid, PCI_EXT_CAP_ACS), 0);
    model_put(f, 0x100, 4, 0xfc01ffee);
    model_put(f, 0xfc0, 4, 0x00010010); /* the largest that fits */
    assert_int_equal(pci_extended_capability_find(rid, PCI_EXT_CAP_SRIOV), 0xfc0);
    model_put(f, 0x100, 4, 0xfc41ffee);
    model_put(f, 0xfc4, 4, 0x00010010); /* sticks out */
    assert_int_equal(pci_extended_capability_find(rid, PCI_EXT_CAP_SRIOV), 0);
    assert_int_equal(pci_capability_find(RID(0, 9, 9, 0), PCI_CAP_PM), 0);
    assert_int_equal(model_violations(), 0);
}

static void vfs_that_firmware_enabled_are_taken(void **state)
{
    struct model_function *pf = model_endpoint(RID(0, 0, 4, 0), 0x8086, 0x10c9, 0x020000);
    model_pcie(pf, 0xa0, 0, true);
    model_extended(pf, 0x100, 1);
    model_sriov(pf, &(struct model_sriov){.offset = 0x160,
                                          .total = 8,
                                          .initial = 8,
                                          .first_offset = 0x80,
                                          .stride = 2,
                                          .vf_device = 0x10ca,
                                          .supported_pages = 0x553});
    model_put(pf, 0x170, 2, 2);
    pci_config_write(pf->rid, 0x168, 2, 9);
    assert_non_null(model_find(RID(0, 0, 0x14, 0)));
    model_put(model_find(RID(0, 0, 0x14, 0)), 4, 2, 4);
    host_clock_advance(200000);
    enumerate();
    assert_null(model_find(RID(0, 0, 0x14, 0)));
    assert_int_equal(model_get(pf, 0x168, 2) & 9, 0);
    assert_int_equal(host_log_count("sriov.taken", "vfs=2"), 1);
}

static void decoding_and_mastering_open_the_bridges_above(void **state)
{
    struct model_function *outer = model_bridge(RID(0, 0, 1, 0), 1, 2);
    struct model_function *inner = model_bridge(RID(0, 1, 0, 0), 2, 2);
    struct model_function *f = model_endpoint(RID(0, 2, 0, 0), 0x8086, 2, 0x020000);
    enumerate();
    const struct pci_function *p = pci_function_find(f->rid);
    pci_command_set(p, (uint16_t)PCI_COMMAND_MEMORY, 0);
    assert_int_equal(model_get(inner, 4, 2), 2);
    assert_int_equal(model_get(outer, 4, 2), 2);
    pci_bus_master(p, true);
    assert_int_equal(model_get(f, 4, 2), 6);
    assert_int_equal(model_get(outer, 4, 2), 6);
    pci_bus_master(p, false);
    assert_int_equal(model_get(f, 4, 2), 2);
    assert_int_equal(model_get(outer, 4, 2), 6);
}

static void phantom_functions_are_switched_off(void **state)
{
    struct model_function *f = model_endpoint(RID(0, 0, 2, 0), 0x8086, 1, 0x020000);
    model_pcie(f, 0xa0, 0, true);
    model_put(f, 0xa8, 2, 0x2a10);
    enumerate();
    assert_int_equal(model_get(f, 0xa8, 2), 0x2010); /* nor are requests that do not snoop left */
}

static void nothing_there(void **state)
{
    assert_int_equal(pci_enumerate(&mcfg, NULL), STATUS_NOT_FOUND);
    assert_null(pci_function_at(0));
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bus_mastering_goes_before_sizing),
        TEST(a_display_of_the_chipset_goes_on),
        TEST(bars_of_every_kind),
        TEST(impossible_bars_are_absent),
        TEST(a_bar_over_ram_is_not_believed),
        TEST(bridges_are_followed_once),
        TEST(peer_root_buses_are_found),
        TEST(functions_of_multi_function_devices),
        TEST(functions_above_7_are_found),
        TEST(a_full_table_still_takes_bus_mastering),
        TEST(a_machine_with_two_thousand_functions),
        TEST(what_is_no_bar_is_not_written),
        TEST(the_chipsets_own_are_sized_only_on_request),
        TEST(capability_lists),
        TEST(hostile_capability_lists_end),
        TEST(vfs_that_firmware_enabled_are_taken),
        TEST(decoding_and_mastering_open_the_bridges_above),
        TEST(phantom_functions_are_switched_off),
        TEST(nothing_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
