/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/setup/pci_displays.c
/* Displays of the chipset master the bus where they are confined, and nowhere else. */
#include "hypervisor/iommu/reserved.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/setup/pci.h"
#include "tests/unit/support/host.h"

static struct pci_function functions[] = {
    {.rid = RID(0, 0, 2, 0), .class_code = 0x030000}, /* confined to its region */
    {.rid = RID(0, 0, 3, 0), .class_code = 0x038000}, /* firmware has none for it */
    {.rid = RID(0, 1, 0, 0), .class_code = 0x030000}, /* a card: lost it at once */
    {.rid = RID(1, 0, 2, 0), .class_code = 0x030000}, /* likewise, of another segment */
    {.rid = RID(0, 0, 5, 0), .class_code = 0x0c0330},
};
static bool iommu;
static unsigned ended; /* a bit for each */

struct pci_function *pci_function_at(size_t index)
{
    return index < ARRAY_SIZE(functions) ? &functions[index] : NULL;
}

bool iommu_firmware_connected(rid_t rid)
{
    return iommu && rid == functions[0].rid;
}

void pci_bus_master(const struct pci_function *function, bool on)
{
    assert_false(on);
    ended |= 1u << (function - functions);
}

static void one_goes_on_where_it_is_confined(void **state)
{
    iommu = true;
    ended = 0;
    pci_displays_end();
    assert_int_equal(ended, 2);
}

static void without_an_iommu_none_does(void **state)
{
    iommu = false;
    ended = 0;
    pci_displays_end();
    assert_int_equal(ended, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_goes_on_where_it_is_confined),
        cmocka_unit_test(without_an_iommu_none_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
