/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/setup/pci_errors.c hypervisor/setup/pci_aer.c
// SOURCES: hypervisor/setup/pci_roots.c
// SOURCES: hypervisor/setup/pci_errors_chipset.c hypervisor/setup/pci_enumerate.c
// SOURCES: hypervisor/pci/functions.c
// SOURCES: hypervisor/setup/pci_functions.c hypervisor/setup/pci_capabilities.c
// SOURCES: hypervisor/setup/pci_bars.c hypervisor/setup/pci_ram.c
// SOURCES: hypervisor/setup/pci_placement.c hypervisor/setup/pci_bridge_window.c
// SOURCES: hypervisor/base/format.c hypervisor/base/status.c tests/unit/model/pci_model.c
// SOURCES: tests/unit/model/pci_routing.c
// SOURCES: hypervisor/setup/pci_known.c
/* Errors that a guest's function could make the whole machine's. */
#include <string.h>

#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/firmware_map.h"
#include "hypervisor/pci/rid.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/setup/pci.h"
#include "hypervisor/setup/pci_aer.h"
#include "tests/unit/model/pci_model.h"
#include "tests/unit/support/host.h"

#define AER  0x150
#define PCIE 0xa0

static const struct mcfg mcfg = {
    .count = 1,
    .segment = {{.base = 0xe0000000, .segment = 0, .start_bus = 0, .end_bus = 255}},
};

static uint32_t dmi_mask;
static uint64_t mapped_at;
static bool no_memory;

uintptr_t map_device(uint64_t physical, uint64_t size)
{
    assert_int_equal(size, PAGE_SIZE);
    mapped_at = physical;
    return no_memory ? 0 : 0x5000;
}

void unmap(uintptr_t address, uint64_t size)
{
    assert_int_equal(address, 0x5000);
}

uint32_t mmio_read32(uintptr_t address)
{
    assert_int_equal(address, 0x51c8);
    return dmi_mask;
}

void mmio_write32(uintptr_t address, uint32_t value)
{
    assert_int_equal(address, 0x51c8);
    dmi_mask = value;
}

/* As firmware leaves it: everything is reported. */
static struct model_function *reporting(rid_t rid, unsigned type, unsigned secondary)
{
    struct model_function *f = secondary != 0
                                   ? model_bridge(rid, (uint8_t)secondary, (uint8_t)secondary)
                                   : model_endpoint(rid, 0x8086, 0x10c9, 0x020000);
    model_pcie(f, PCIE, type, true);
    model_extended(f, 0x100, PCI_EXT_CAP_ARI);
    model_extended(f, AER, PCI_EXT_CAP_AER);
    model_put(f, AER + 2, 2, 2); /* the version; the list ends here */
    model_put(f, PCI_COMMAND, 2, 0x0142);
    model_put(f, PCIE + 8, 2, 0x281f);
    model_writable(f, PCIE + 0x1c, 2, 0x001f);
    model_put(f, PCIE + 0x1c, 2, 0x001f);
    if (secondary != 0) {
        model_writable(f, 0x3e, 2, 0x0043);
        model_put(f, 0x3e, 2, 0x0003);
    }
    /* Reserved bits, too, show who writes them. */
    model_writable(f, AER + 8, 4, 0xffffffff);
    model_writable(f, AER + 0x14, 4, 0xffffffff);
    model_writable(f, AER + 0x2c, 4, 0xffffffff);
    model_put(f, AER + 0x2c, 4, 0x40000007);
    return f;
}

static int fresh(void **state)
{
    model_clear();
    host_log_clear();
    host_clock_set(0);
    dmi_mask = 1;
    mapped_at = 0;
    no_memory = false;
    return 0;
}

static void silence(void)
{
    assert_int_equal(pci_enumerate(&mcfg, NULL), STATUS_OK);
    pci_errors_silence();
    assert_int_equal(model_violations(), 0);
}

static void a_function_reports_nothing(void **state)
{
    model_bridge(RID(0, 0, 1, 0), 1, 1);
    struct model_function *nic = reporting(RID(0, 1, 0, 0), 0, 0);
    struct model_function *old = model_endpoint(RID(0, 0, 5, 0), 0x8086, 0x100e, 0x020000);
    model_put(old, PCI_COMMAND, 2, 0x0102);
    silence();
    assert_int_equal(model_get(nic, PCI_COMMAND, 2), 0x0042);
    assert_int_equal(model_get(nic, PCIE + 8, 2) & 0xf, 0);
    assert_int_equal(model_get(nic, PCIE + 8, 2) & 0x20f0, 0x2010); /* the rest is its own */
    assert_int_equal(model_get(nic, AER + 8, 4), 0x03fff030);
    assert_int_equal(model_get(nic, AER + 0x14, 4), 0x0000f1c1);
    /* No root control, no root error command in an endpoint. */
    assert_int_equal(model_get(nic, PCIE + 0x1c, 2), 0x001f);
    assert_int_equal(model_get(nic, AER + 0x2c, 4), 0x40000007);
    assert_int_equal(model_get(old, PCI_COMMAND, 2), 0x0002);
    assert_int_equal(host_log_count("pci.errors", "functions=2 ports=1 reporting=off"), 1);
}

static void its_ports_make_no_system_errors(void **state)
{
    struct model_function *root = reporting(RID(0, 0, 1, 0), PCIE_TYPE_ROOT_PORT, 1);
    model_put(root, 0x1a, 1, 3);
    struct model_function *up = reporting(RID(0, 1, 0, 0), PCIE_TYPE_UPSTREAM, 2);
    model_put(up, 0x1a, 1, 3);
    struct model_function *down = reporting(RID(0, 2, 0, 0), PCIE_TYPE_DOWNSTREAM, 3);
    struct model_function *collector = reporting(RID(0, 0, 7, 0), 0xa, 0);
    silence();
    struct model_function *const all[] = {root, up, down};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(model_get(all[i], PCI_COMMAND, 2), 0x0042);
        assert_int_equal(model_get(all[i], 0x3e, 2), 0x0001);
        assert_int_equal(model_get(all[i], PCIE + 8, 2) & 0xf, 0);
        /* Unsupported requests, aborts, ACS and the like; what the link itself does stays. */
        assert_int_equal(model_get(all[i], AER + 8, 4), 0x03bdd000);
        assert_int_equal(model_get(all[i], AER + 0x14, 4), 0x2000);
    }
    assert_int_equal(model_get(root, PCIE + 0x1c, 2), 0x0018);
    assert_int_equal(model_get(root, AER + 0x2c, 4), 0x40000000);
    assert_int_equal(model_get(collector, PCIE + 0x1c, 2), 0x0018);
    assert_int_equal(model_get(collector, AER + 0x2c, 4), 0x40000000);
    assert_int_equal(model_get(down, AER + 0x2c, 4), 0x40000007);
}

/* Before version 2 of the structure its later bits are reserved. */
static void reserved_bits_stay_as_they_are(void **state)
{
    struct model_function *nic = reporting(RID(0, 0, 3, 0), 9, 0);
    model_put(nic, AER + 2, 2, 1);
    struct model_function *root = reporting(RID(0, 0, 1, 0), PCIE_TYPE_ROOT_PORT, 1);
    model_put(root, AER + 2, 2, 1);
    silence();
    assert_int_equal(model_get(nic, AER + 8, 4), 0x003ff030);
    assert_int_equal(model_get(nic, AER + 0x14, 4), 0x000031c1);
    assert_int_equal(model_get(root, AER + 8, 4), 0x003dd000);
}

/* A capability at the end of its space is shorter than a root port's should be. */
static void nothing_behind_the_end_is_written(void **state)
{
    struct model_function *root = model_bridge(RID(0, 0, 1, 0), 1, 1);
    model_pcie(root, 0xec, PCIE_TYPE_ROOT_PORT, true);
    model_extended(root, 0x100, PCI_EXT_CAP_ARI);
    model_extended(root, 0xfd4, PCI_EXT_CAP_AER);
    model_writable(root, 0x108, 2, 0xffff);
    model_put(root, 0x108, 2, 0x1f);
    silence();
    assert_int_equal(model_get(root, 0x108, 2), 0x1f);
}

/* Memory and chipset errors of the machine are not ours to hide. */
static void a_host_bridge_keeps_its_own(void **state)
{
    struct model_function *host = model_endpoint(RID(0, 0, 0, 0), 0x8086, 0x29c0, 0x060000);
    model_put(host, PCI_COMMAND, 2, 0x0146);
    silence();
    assert_int_equal(model_get(host, PCI_COMMAND, 2) & 0x0100, 0x0100);
    assert_int_equal(host_log_count("pci.errors", "rid="), 0);
}

static struct model_function *chipset(uint16_t device)
{
    struct model_function *f = model_endpoint(RID(0, 0, 0, 0), 0x8086, device, 0x060000);
    model_pcie(f, PCIE, 4, false);
    model_writable(f, 0x1ac, 4, 0xffffffff);
    model_writable(f, 0x20c, 4, 0xffffffff);
    return f;
}

static void chipsets_of_xsa_59(void **state)
{
    /* VT-d's own errors */
    struct model_function *f = chipset(0x342e);
    model_put(f, 0x1ac, 4, 0x10);
    silence();
    assert_int_equal(model_get(f, 0x1ac, 4), 0x80000010);
    assert_int_equal(model_get(f, 0x20c, 4), 0);
    assert_int_equal(host_log_count("pci.errors", "rid=00:00.0 id=8086:342e status=ok"), 1);

    /* A port with AER */
    fresh(NULL);
    f = chipset(0x3c03);
    model_extended(f, 0x100, PCI_EXT_CAP_AER);
    model_writable(f, 0x108, 4, 0xffffffff);
    model_writable(f, 0x114, 4, 0xffffffff);
    silence();
    assert_int_equal(model_get(f, 0x108, 4), 1 << 20);
    assert_int_equal(model_get(f, 0x114, 4), 1 << 13);
    assert_int_equal(model_get(f, 0x20c, 4), 0x10);
    assert_int_equal(model_get(f, 0x1ac, 4), 0);

    /* A host bridge with the same behind a vendor's header, not the first one */
    fresh(NULL);
    f = chipset(0x3400);
    model_extended(f, 0x100, PCI_EXT_CAP_VENDOR);
    model_put(f, 0x104, 4, 0x02010003);
    model_extended(f, 0x140, PCI_EXT_CAP_VENDOR);
    model_put(f, 0x144, 4, 0x02010004);
    model_writable(f, 0x14c, 4, 0xffffffff);
    model_writable(f, 0x158, 4, 0xffffffff);
    silence();
    assert_int_equal(model_get(f, 0x14c, 4), 1 << 20);
    assert_int_equal(model_get(f, 0x158, 4), 1 << 13);
    assert_int_equal(model_get(f, 0x20c, 4), 0x10);

    /* Without either: said, and the rest is done; a list without end ends. */
    fresh(NULL);
    f = chipset(0x3407);
    model_extended(f, 0x100, PCI_EXT_CAP_VENDOR);
    model_put(f, 0x102, 2, 0x1001);
    silence();
    assert_int_equal(model_get(f, 0x20c, 4), 0x10);
    assert_int_equal(host_log_count("pci.errors", "status=unsupported"), 1);

    /* Not Intel's */
    fresh(NULL);
    f = chipset(0x342e);
    model_put(f, 0, 2, 0x1022);
    silence();
    assert_int_equal(model_get(f, 0x1ac, 4), 0);
}

static void the_link_to_the_chipset(void **state)
{
    struct model_function *f = chipset(0x1904);
    model_put(f, 0x68, 4, 0xfed18001);
    silence();
    assert_int_equal(mapped_at, 0xfed18000);
    assert_int_equal(dmi_mask, 1 | 1 << 20);
    assert_int_equal(host_log_count("pci.errors", "status=ok"), 1);
    /* Off, nowhere, or over RAM: nothing is touched. */
    for (unsigned i = 0; i < 4; i++) {
        fresh(NULL);
        f = chipset(0x0108);
        model_put(f, 0x68, 4, i == 0 ? 0xfed18000 : i == 1 ? 1 : i == 2 ? 0x10000001 : 0xfed18001);
        model_frame(0x10000000, MIB(1), OWNER_NOBODY);
        no_memory = i == 3;
        silence();
        assert_int_equal(dmi_mask, 1);
        assert_int_equal(mapped_at, i == 3 ? 0xfed18000 : 0);
        assert_int_equal(host_log_count("pci.errors", "status=unsupported"), 1);
    }
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_function_reports_nothing),        TEST(its_ports_make_no_system_errors),
        TEST(a_host_bridge_keeps_its_own),       TEST(chipsets_of_xsa_59),
        TEST(the_link_to_the_chipset),           TEST(reserved_bits_stay_as_they_are),
        TEST(nothing_behind_the_end_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
