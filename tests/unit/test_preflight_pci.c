/* SPDX-License-Identifier: MIT */
// SOURCES: boot/preflight/functions.c boot/preflight/sriov.c boot/preflight/plan.c
// SOURCES: drivers/igb/setup/igb_kinds.c
// SOURCES: boot/preflight/plan_card.c boot/preflight/plan_drivers.c boot/preflight/report.c
// SOURCES: boot/preflight/aperture.c hypervisor/pci/functions.c hypervisor/setup/pci_bars.c
// SOURCES: hypervisor/setup/pci_bridge_window.c hypervisor/setup/pci_capabilities.c
// SOURCES: hypervisor/config/config.c hypervisor/config/config_keys.c
// SOURCES: hypervisor/config/config_owners.c hypervisor/config/config_words.c
// SOURCES: hypervisor/config/config_cores.c hypervisor/base/format.c hypervisor/base/status.c
// SOURCES: tests/unit/model/pci_model.c
// SOURCES: tests/unit/model/pci_routing.c
// SOURCES: hypervisor/config/config_console.c
// SOURCES: hypervisor/setup/pci_known.c
/* Functions and VFs over the model of configuration space, and what comes of it for a
 * configuration. */
#include <stdlib.h>
#include <string.h>

#include "boot/preflight/plan.h"
#include "boot/preflight/sriov.h"
#include "hypervisor/pci/discovery.h"
#include "tests/unit/model/pci_model.h"
#include "tests/unit/support/host.h"

static struct pci_function slots[PCI_MAX_FUNCTIONS];
static struct preflight facts;
static struct preflight_roots roots;
static struct config config;
static struct model_function *port, *device;

static const struct model_sriov igb = {
    .offset = 0x160,
    .total = 8,
    .initial = 8,
    .first_offset = 0x80,
    .stride = 2,
    .vf_device = 0x10ca,
    .supported_pages = 0x553,
    .bar = {[0] = {.size = 0x4000, .base = 0xc0010000, .is_64bit = true},
            [3] = {.size = 0x4000, .base = 0xc0030000, .is_64bit = true}},
};

static int fresh(void **state)
{
    model_clear();
    host_log_clear();
    host_clock_set(0);
    memset(&facts, 0, sizeof facts);
    facts.vmx = facts.x2apic = facts.remapping = true;
    facts.units = facts.usable_units = 1;
    facts.madt.cpu_count = 4;
    facts.free_memory = MIB(512);
    roots = (struct preflight_roots){.count = 1, .root = {{0, 0, 3}}};
    return 0;
}

static void machine(const struct model_sriov *sriov)
{
    port = model_bridge(RID(0, 0, 1, 0), 1, 1);
    model_pcie(port, 0x54, PCIE_TYPE_ROOT_PORT, false);
    model_window(port, false, 0xc0000000, 0xc01fffff);
    device = model_endpoint(RID(0, 1, 0, 0), 0x8086, 0x10c9, 0x020000);
    model_bar(device, 0, (struct model_bar){.size = 0x20000, .base = 0xc0100000});
    model_put(device, 0x04, 2, 0x0006); /* a driver of the firmware's works with it */
    model_pcie(device, 0xa0, PCIE_TYPE_ENDPOINT, true);
    model_extended(device, 0x100, PCI_EXT_CAP_ARI);
    if (sriov != NULL)
        model_sriov(device, sriov);
}

static void look(void)
{
    preflight_functions(&roots, &facts, slots, ARRAY_SIZE(slots));
    preflight_sriov();
    assert_string_equal(model_last_violation(), "");
}

static bool exists(const char *name)
{
    return strcmp(name, "hello.elf") == 0;
}

static void complain(void *context, struct config_place place, const char *message)
{
    fail_msg("%u:%u %s", place.line, place.column, message);
}

static void plan(const char *text)
{
    assert_int_equal(config_parse(text, strlen(text), &config, complain, NULL), STATUS_OK);
    host_log_clear();
    preflight_plan(&config, exists, &facts);
    assert_string_equal(model_last_violation(), "");
}

#define NIC   "[nic uplink]\ndevice = 8086:10c9\nvfs = 2\n"
#define GUEST "[guest alpha]\nimage = hello.elf\nmemory = 32M\n"

/* Everything that can be seen is as it was before, and the card went on all the while. */
static void test_nothing_is_changed(void **state)
{
    static struct model_function before_device, before_port;
    machine(&igb);
    before_device = *device;
    before_port = *port;
    look();
    plan(NIC GUEST "device = uplink.vf0\n");
    assert_memory_equal(device->config, before_device.config, sizeof device->config);
    assert_memory_equal(port->config, before_port.config, sizeof port->config);
    assert_int_equal(model_bus_masters(), 1);
    assert_int_equal(model_violations(), 0);
}

static void test_functions(void **state)
{
    machine(&igb);
    look();
    assert_int_equal(host_log_count("pci.function", NULL), 2);
    assert_int_equal(host_log_count("pci.function", "rid=01:00.0 id=8086:10c9 class=020000 "
                                                    "kind=endpoint port=00:01.0"),
                     1);
    assert_int_equal(host_log_count("pci.function", "flr=yes msix=no sriov=yes ari=yes"), 1);
    assert_int_equal(host_log_count("pci.function", "bar0=0xc0100000"), 1);
    assert_int_equal(host_log_count("pci.bridge",
                                    "rid=00:01.0 buses=01-01 memory=0xc0000000-0xc01fffff "
                                    "prefetch=none prefetch64=yes ari=possible"),
                     1);
    assert_int_equal(host_log_count("pci.sriov",
                                    "pf=01:00.0 total=8 initial=8 vf=8086:10ca enabled=no "
                                    "offset_ari=128 stride_ari=2 offset=128 stride=2 ari=yes"),
                     1);
    assert_int_equal(host_log_count("pci.sriov", "bar0=0xc0010000+16K:64 bar3="), 1);
    assert_int_equal(host_log_count("pci.summary", "functions=2 bridges=1 left_out=0"), 1);
}

/* Both states of ARI, though only one of them is in force. */
static void test_without_ari(void **state)
{
    struct model_sriov old = igb;
    old.first_offset_without_ari = 0x180;
    machine(&old);
    model_put(port, 0x54 + 0x24, 4, 0); /* the port cannot forward it */
    look();
    assert_int_equal(host_log_count("pci.sriov", "offset_ari=128 stride_ari=2 offset=384 stride=2 "
                                                 "ari=no"),
                     1);
    assert_int_equal(host_log_count("pci.bridge", "ari=impossible"), 1);
    plan(NIC GUEST "device = uplink.vf0\n");
    assert_int_equal(host_log_count("config.unsure", "line=1 section=nic name=uplink"), 1);
    assert_int_equal(host_log_count("config.unsure", "need bus 02, which firmware did not give to "
                                                     "the port above (buses 01-01)"),
                     1);
    assert_int_equal(host_log_count("config.unsure",
                                    "line=7 section=guest name=alpha item=\"device "
                                    "= uplink.vf0\""),
                     1);
    model_put(port, 0x1a, 1, 2); /* a bus more */
    look();
    plan(NIC GUEST "device = uplink.vf0\n");
    assert_int_equal(facts.unsure, 0);
    assert_int_equal(facts.can, 3);
}

/* Firmware left VFs on: nothing may be written. */
static void test_enabled_vfs_are_left_alone(void **state)
{
    machine(&igb);
    model_put(device, 0x160 + 8, 2, 1);
    look();
    assert_int_equal(model_writes(), 0);
    assert_int_equal(host_log_count("pci.sriov", "enabled=yes offset_ari=128 stride_ari=2"), 1);
}

static void test_verdicts(void **state)
{
    machine(&igb);
    look();
    plan(NIC GUEST "device = uplink.vf0\ndevice = uplink.vf1\n");
    assert_int_equal(facts.can, 4);
    assert_int_equal(facts.cannot + facts.unsure, 0);
    assert_int_equal(host_log_count("config.can", "line=8 section=guest name=alpha item=\"device = "
                                                  "uplink.vf1\""),
                     1);
    static const struct {
        const char *text, *event, *part;
    } rows[] = {
        {"[nic a]\ndevice = 8086:1521\nvfs = 2\n", "config.cannot", "no such device"},
        {"[nic a]\ndevice = 00:01.0\nvfs = 2\n", "config.cannot", "no SR-IOV capability"},
        {"[nic a]\ndevice = 8086:10c9\nvfs = 9\n", "config.cannot", "9 VFs and 8 are possible"},
        {"[nic a]\ndevice = 8086:10c9\n[nic b]\ndevice = 01:00.0\n", "config.cannot",
         "another section names the same device"},
        {"[guest a]\nimage = other.elf\nmemory = 32M\n", "config.cannot",
         "no file \\\\bulkhead\\\\other.elf"},
        {GUEST "cpus = 4\n", "config.cannot", "cores: 4 asked for, 3 left"},
        {GUEST "cores = 9\n", "config.cannot", "there is no core 9"},
        {GUEST "node = 3\n", "config.cannot", "names no node 3"},
        {"[guest a]\nimage = hello.elf\nmemory = 1G\n", "config.cannot",
         "asks for 1G of memory and about 448M"},
        {"[nic a]\ndevice = 00:01.0\n" GUEST "device = a\n", "config.cannot", "a bridge is never"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        plan(rows[i].text);
        assert_int_equal(host_log_count(rows[i].event, rows[i].part), 1);
    }
}

/* The machine's faults, one by one. */
static void test_machines_that_cannot(void **state)
{
    static const char text[] = NIC GUEST "device = uplink.vf0\n";
    machine(&igb);
    look();
    facts.usable_units = 0;
    plan(text);
    assert_int_equal(host_log_count("config.cannot", "no VT-d unit of this machine can be used"),
                     1);
    assert_int_equal(facts.cannot, 2);
    facts.units = 0;
    plan(text);
    assert_int_equal(host_log_count("config.cannot", "there is no IOMMU"), 1);
    facts.has_ivrs = true;
    plan(text);
    assert_int_equal(host_log_count("config.cannot", "AMD-Vi"), 1);
    facts.has_ivrs = false;
    facts.units = 1;
    facts.usable_units = 1;
    facts.remapping = false;
    plan(text);
    assert_int_equal(host_log_count("config.cannot", "interrupts are not remapped"), 1);
    plan("[system]\nunsafe_interrupts = yes\n" NIC GUEST "device = uplink.vf0\n");
    assert_int_equal(facts.cannot, 0);
    facts.remapping = true;
    facts.vmx = false;
    plan(text);
    assert_int_equal(host_log_count("config.cannot", "neither VMX nor SVM"), 1);
    facts.svm = true;
    facts.x2apic = false;
    plan(text);
    assert_int_equal(host_log_count("config.cannot", "no x2APIC"), 1);
    facts.x2apic = true;
    facts.reserved_count = 1;
    facts.reserved[0] = (struct preflight_reserved){RID(0, 1, 0, 0), 0x1000, 0x1fff};
    plan("[nic a]\ndevice = 8086:10c9\n" GUEST "device = a\n");
    assert_int_equal(host_log_count("config.cannot", "0x1000-0x1fff for its DMA (RMRR)"), 1);
    plan("[nic a]\ndevice = 8086:10c9\n" GUEST "device = a\naccept_reserved = 01:00.0\n");
    assert_int_equal(facts.cannot, 0);
}

/* Eight threads of four cores, one of which is the hypervisor's: guests take whole ones. */
static void test_threads_of_one_core(void **state)
{
    static const char text[] = GUEST "cpus = 3\n[guest beta]\nimage = hello.elf\nmemory = 32M\n"
                                     "[guest gamma]\nimage = hello.elf\nmemory = 32M\n";
    facts.madt.cpu_count = 8;
    facts.cores = 8;
    plan(text);
    assert_int_equal(facts.can, 3);
    facts.cores = 4;
    plan(text);
    assert_int_equal(facts.can, 2);
    assert_int_equal(host_log_count("config.unsure",
                                    "line=8 section=guest name=gamma item=\"guest\" "
                                    "message=\"two guests never share"),
                     1);
}

static void test_neighbours_and_drivers(void **state)
{
    machine(&igb);
    model_put(device, 0x02, 2, 0x1572); /* a card that nobody here drives */
    model_put(device, 0x0e, 1, 0x80);
    (void)model_endpoint(RID(0, 1, 0, 1), 0x8086, 0x1572, 0x020000);
    look();
    plan("[nic a]\ndevice = 8086:1572\nvfs = 2\n");
    assert_int_equal(host_log_count("config.cannot", "no PF driver for this device"), 1);
    plan("[nic a]\ndevice = 8086:1572\nvfs = 2\ndriver = none\n");
    assert_int_equal(facts.can, 1);
    plan("[nic a]\ndevice = 8086:1572\n" GUEST "device = a\n");
    assert_int_equal(host_log_count("config.unsure", "01:00.1 is in the same package"), 1);
}

/* VF BARs outside of the port's windows. */
static void test_room(void **state)
{
    struct model_sriov unplaced = igb;
    unplaced.bar[0].base = 0;
    machine(&unplaced);
    look();
    plan(NIC);
    assert_int_equal(host_log_count("config.unsure", "gave its VF BAR 0 (32K for 2 VFs) no place"),
                     1);
}

static void test_more_functions_than_fit(void **state)
{
    machine(&igb);
    preflight_functions(&roots, &facts, slots, 1);
    assert_int_equal(host_log_count("pci.summary", "functions=1 bridges=1 left_out=1"), 1);
}

/* A bridge that leads back, and one that answers for every id. */
static void test_hostile_bridges(void **state)
{
    port = model_bridge(RID(0, 0, 1, 0), 1, 3);
    (void)model_bridge(RID(0, 1, 0, 0), 0, 255);
    (void)model_bridge(RID(0, 1, 1, 0), 1, 1);
    look();
    assert_int_equal(pci_function_count(), 3);
    model_mirror(port);
    roots.root[0].last = 255;
    look();
    assert_true(pci_function_count() <= PCI_MAX_FUNCTIONS);
}

static void put64(uint8_t *at, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static void descriptor(uint8_t bytes[46], uint8_t kind, uint8_t specific, uint64_t base,
                       uint64_t limit)
{
    memset(bytes, 0, 46);
    bytes[0] = 0x8a;
    bytes[1] = 43;
    bytes[3] = kind;
    bytes[5] = specific;
    put64(bytes + 14, base);
    put64(bytes + 22, limit);
    put64(bytes + 38, limit - base + 1);
}

static void test_apertures(void **state)
{
    uint8_t bytes[4 * 46 + 2];
    descriptor(bytes, 0, 0, 0x80000000, 0xbfffffff);
    descriptor(bytes + 46, 0, 6, UINT64_C(0x4000000000), UINT64_C(0x7fffffffff));
    descriptor(bytes + 92, 2, 0, 0x80, 0xff);
    descriptor(bytes + 138, 2, 0, 0x10, 0x100);
    bytes[184] = 0x79;
    bytes[185] = 0;
    roots.count = 0;
    preflight_apertures(1, 3, bytes, sizeof bytes, &roots);
    assert_int_equal(roots.count, 1);
    assert_int_equal(roots.root[0].segment, 3);
    assert_int_equal(roots.root[0].first, 0x80);
    assert_int_equal(roots.root[0].last, 0xff);
    assert_int_equal(host_log_count("pci.aperture", NULL), 4);
    assert_int_equal(host_log_count("pci.aperture",
                                    "root=1 segment=3 kind=memory base=0x4000000000 "
                                    "limit=0x7fffffffff prefetch=yes"),
                     1);
    assert_int_equal(host_log_count("pci.aperture", "contradict each other"), 1);
    for (size_t cut = 0; cut <= sizeof bytes; cut++) {
        uint8_t *copy = malloc(cut + 1);
        memcpy(copy, bytes, cut);
        host_log_clear();
        preflight_apertures(0, 0, copy, cut, &roots);
        assert_int_equal(host_log_count("pci.aperture", NULL), cut / 46);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_nothing_is_changed, fresh),
        cmocka_unit_test_setup(test_functions, fresh),
        cmocka_unit_test_setup(test_without_ari, fresh),
        cmocka_unit_test_setup(test_enabled_vfs_are_left_alone, fresh),
        cmocka_unit_test_setup(test_verdicts, fresh),
        cmocka_unit_test_setup(test_machines_that_cannot, fresh),
        cmocka_unit_test_setup(test_threads_of_one_core, fresh),
        cmocka_unit_test_setup(test_neighbours_and_drivers, fresh),
        cmocka_unit_test_setup(test_room, fresh),
        cmocka_unit_test_setup(test_more_functions_than_fit, fresh),
        cmocka_unit_test_setup(test_hostile_bridges, fresh),
        cmocka_unit_test_setup(test_apertures, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
