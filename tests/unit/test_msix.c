/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/pci/msix.c hypervisor/pci/functions.c hypervisor/base/format.c
// SOURCES: tests/unit/model/pci_model.c
// SOURCES: tests/unit/model/pci_routing.c
/* MSI-X layouts as devices really have them, and as none may. */
#include "hypervisor/pci/function.h"
#include "hypervisor/pci/msix.h"
#include "tests/unit/model/pci_model.h"
#include "tests/unit/support/host.h"

static struct model_function *device;
static struct pci_function function;

static void build(unsigned vectors, uint32_t table, uint32_t pba)
{
    model_clear();
    host_log_clear();
    device = model_endpoint(RID(0, 0, 2, 0), 0x8086, 1, 0x020000);
    model_msix(device, 0x70, vectors, table, pba);
    function = (struct pci_function){.rid = device->rid, .cap_msix = 0x70};
    function.bar[0] = (struct pci_bar){.base = 0xfe000000, .size = 0x20000};
    function.bar[2] = (struct pci_bar){.base = 0xc000, .size = 0x10000, .io = true};
    function.bar[3] = (struct pci_bar){.base = 0xfe100000, .size = 0x4000};
    function.bar[5] = (struct pci_bar){.base = 0xfe200000, .size = 0x8800};
}

static void expect(unsigned vectors, unsigned table_bar, uint32_t table, unsigned pba_bar,
                   uint32_t pba)
{
    struct msix_layout layout;
    assert_int_equal(msix_layout_read(&function, &layout), STATUS_OK);
    assert_int_equal(layout.vectors, vectors);
    assert_int_equal(layout.table_bar, table_bar);
    assert_int_equal(layout.table_offset, table);
    assert_int_equal(layout.pba_bar, pba_bar);
    assert_int_equal(layout.pba_offset, pba);
}

static void refused(const char *part)
{
    struct msix_layout layout;
    assert_int_equal(msix_layout_read(&function, &layout), STATUS_INVALID);
    assert_int_equal(host_log_count("msix.refused", part), 1);
}

static void real_layouts(void **state)
{
    build(3, 3, 0x2003); /* 82576 VF */
    expect(3, 3, 0, 3, 0x2000);
    build(80, 0x1003, 0x1800 | 3); /* table not at 0, PBA in the same page's next half */
    expect(80, 3, 0x1000, 3, 0x1800);
    build(4, 0x1f000, 0x1f040); /* behind other registers of BAR 0, sharing their BAR */
    expect(4, 0, 0x1f000, 0, 0x1f040);
    build(2048, 5, 0x8005); /* the most there can be */
    expect(2048, 5, 0, 5, 0x8000);
    build(1, 0, 3);
    expect(1, 0, 0, 3, 0);
}

static void the_last_byte_counts(void **state)
{
    build(256, 0x3003, 0);
    expect(256, 3, 0x3000, 0, 0);
    build(257, 0x3003, 0);
    refused("table is not inside");
    build(64, 0, 0x3ff8 | 3);
    expect(64, 0, 0, 3, 0x3ff8);
    build(65, 0, 0x3ff8 | 3);
    refused("pending bits are not inside");
}

static void hostile_layouts(void **state)
{
    build(3, 1, 3); /* a BAR that is not implemented */
    refused("table is not inside");
    build(3, 7, 3); /* a BAR that cannot be */
    refused("table is not inside");
    build(3, 2, 3); /* an I/O BAR */
    refused("table is not inside");
    build(3, 0xfffffff8 | 3, 3); /* offset near 4 GiB */
    refused("table is not inside");
    build(3, 3, 6);
    refused("pending bits are not inside");
    build(64, 3, 0x0208 | 3); /* inside the table */
    refused("overlap");
    build(3, 0x2003, 0x2003);
    refused("overlap");
}

static void absent(void **state)
{
    build(3, 3, 0x2003);
    function.cap_msix = 0;
    struct msix_layout layout;
    assert_int_equal(msix_layout_read(&function, &layout), STATUS_NOT_FOUND);
}

static void control_bits(void **state)
{
    build(10, 3, 0x2003);
    msix_enable(&function, true, true);
    assert_int_equal(model_get(device, 0x72, 2), 0xc009);
    msix_enable(&function, true, false);
    assert_int_equal(model_get(device, 0x72, 2), 0x8009);
    msix_enable(&function, false, false);
    assert_int_equal(model_get(device, 0x72, 2), 0x0009);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_layouts),    cmocka_unit_test(the_last_byte_counts),
        cmocka_unit_test(hostile_layouts), cmocka_unit_test(absent),
        cmocka_unit_test(control_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
