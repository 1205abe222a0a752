/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/setup/words_devices.c hypervisor/setup/words_units.c
// SOURCES: hypervisor/base/format.c hypervisor/base/text.c hypervisor/base/string.c
/* What is written down at boot for the prompt: functions in words and in a tree, and what units can
 * do. */
#include <stdio.h>
#include <string.h>

#include "hypervisor/assign/pf.h"
#include "hypervisor/iommu/iommu.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/monitor/commands.h"
#include "hypervisor/setup/words.h"
#include "tests/unit/support/host.h"

const struct pci_function *command_tree[PCI_MAX_FUNCTIONS + 1];
const char *iommu_words[IOMMU_MAX_UNITS];

/* Two root ports with a bus each, whose numbers are the other way round; a card with two VFs, one
 * of which lies on a bus of its own; a switch. By rising requester id, as the table is. */
enum { HOST, PORT, OTHER_PORT, ISA, CARD, VF0, UP, DOWN, DEEP, VF1, ODD, FUNCTIONS };
static struct pci_function functions[FUNCTIONS];
static unsigned count;

static void build(void)
{
    memset(functions, 0, sizeof functions);
    memset(command_tree, 0, sizeof command_tree);
    count = FUNCTIONS;
    functions[HOST] = (struct pci_function){
        .rid = RID(0, 0, 0, 0), .vendor = 0x8086, .device = 0x29c0, .class_code = 0x060000};
    functions[PORT] = (struct pci_function){.rid = RID(0, 0, 1, 0),
                                            .vendor = 0x8086,
                                            .device = 0x1111,
                                            .class_code = 0x060400,
                                            .is_bridge = true,
                                            .pcie_type = PCIE_TYPE_ROOT_PORT};
    functions[OTHER_PORT] = functions[PORT];
    functions[OTHER_PORT].rid = RID(0, 0, 2, 0);
    functions[OTHER_PORT].vendor = 0x1022;
    functions[ISA] = (struct pci_function){
        .rid = RID(0, 0, 0x1f, 0), .vendor = 0x9999, .device = 1, .class_code = 0x060100};
    functions[CARD] = (struct pci_function){.rid = RID(0, 1, 0, 0),
                                            .vendor = 0x8086,
                                            .device = 0x10c9,
                                            .class_code = 0x020000,
                                            .cap_sriov = 0x160,
                                            .bridge = &functions[PORT]};
    functions[VF0] = (struct pci_function){.rid = RID(0, 1, 0x10, 0),
                                           .vendor = 0x8086,
                                           .device = 0x10ca,
                                           .class_code = 0x020000,
                                           .is_vf = true,
                                           .pf = &functions[CARD],
                                           .bridge = &functions[PORT]};
    functions[UP] = functions[PORT];
    functions[UP].rid = RID(0, 2, 0, 0);
    functions[UP].bridge = &functions[OTHER_PORT];
    functions[UP].pcie_type = PCIE_TYPE_UPSTREAM;
    functions[DOWN] = functions[UP];
    functions[DOWN].rid = RID(0, 3, 0, 0);
    functions[DOWN].bridge = &functions[UP];
    functions[DEEP] = (struct pci_function){.rid = RID(0, 4, 0, 0),
                                            .vendor = 0x144d,
                                            .device = 0xa80a,
                                            .class_code = 0x010802,
                                            .bridge = &functions[DOWN]};
    functions[VF1] = functions[VF0];
    functions[VF1].rid = RID(0, 5, 0, 0);
    functions[VF1].vf_index = 1;
    functions[ODD] = (struct pci_function){
        .rid = RID(1, 0xff, 0x1f, 7), .vendor = 0xabcd, .device = 0xffff, .class_code = 0xff0000};
}

static int set_up(void **state)
{
    build();
    words_of_devices();
    return 0;
}

struct pci_function *pci_function_at(size_t index)
{
    return index < count ? &functions[index] : NULL;
}

const char *pf_name(const struct pci_function *function)
{
    return function == &functions[CARD] ? "uplink" : "";
}

int iommu_unit_of(const struct pci_function *function)
{
    return function == &functions[ODD] ? -1 : function == &functions[DEEP] ? 1 : 0;
}

static struct iommu_unit_report units[2];
static unsigned unit_count;

bool iommu_unit_report(unsigned index, struct iommu_unit_report *report)
{
    if (index < unit_count)
        *report = units[index];
    return index < unit_count;
}

static void names_and_kinds(void **state)
{
    static const struct {
        const char *name, *words;
    } expected[FUNCTIONS] = {
        [HOST] = {"-", "Intel Q35 host bridge"},
        [PORT] = {"-", "Intel root port"},
        [OTHER_PORT] = {"-", "AMD root port"},
        [ISA] = {"-", "ISA bridge"},
        [CARD] = {"uplink", "Intel 82576"},
        [VF0] = {"uplink.vf0", "Intel 82576 VF"},
        [UP] = {"-", "Intel switch port"},
        [DOWN] = {"-", "Intel switch port"},
        [DEEP] = {"-", "Samsung NVMe"},
        [VF1] = {"uplink.vf1", "Intel 82576 VF"},
        [ODD] = {"-", "device"},
    };
    for (unsigned i = 0; i < FUNCTIONS; i++) {
        assert_string_equal(functions[i].name, expected[i].name);
        assert_string_equal(functions[i].words, expected[i].words);
    }
}

/* All of them once, each below what it is behind. */
static void the_tree(void **state)
{
    static const unsigned order[] = {HOST, PORT, CARD, VF0, VF1, OTHER_PORT,
                                     UP,   DOWN, DEEP, ISA, ODD};
    for (unsigned i = 0; i < FUNCTIONS; i++)
        assert_ptr_equal(command_tree[i], &functions[order[i]]);
    assert_null(command_tree[FUNCTIONS]);
    assert_string_equal(functions[HOST].row, "00:00.0        8086:29c0  0");
    assert_string_equal(functions[VF1].row, "    05:00.0    8086:10ca  0");
    assert_string_equal(functions[DEEP].row, "      04:00.0  144d:a80a  1");
    assert_string_equal(functions[ODD].row, "0001:ff:1f.7   abcd:ffff  -");
}

/* Deeper than the column is wide. */
static void a_deep_tree(void **state)
{
    for (unsigned i = 0; i < FUNCTIONS; i++)
        functions[i] = (struct pci_function){
            .rid = RID(0, i, 0, 0), .is_bridge = true, .bridge = i > 0 ? &functions[i - 1] : NULL};
    words_of_devices();
    for (unsigned i = 0; i < FUNCTIONS; i++)
        assert_ptr_equal(command_tree[i], &functions[i]);
    assert_string_equal(functions[3].row, "      03:00.0  0000:0000  0");
    assert_string_equal(functions[FUNCTIONS - 1].row, "        0a:00.0 0000:0000  -");
}

static void records(void **state)
{
    assert_string_equal(functions[HOST].record, "rid=00:00.0 name=- id=8086:29c0 class=060000 "
                                                "kind=function parent=- port=- unit=0");
    assert_string_equal(functions[CARD].record, "rid=01:00.0 name=uplink id=8086:10c9 class=020000 "
                                                "kind=pf parent=00:01.0 port=00:01.0 unit=0");
    assert_string_equal(functions[VF1].record,
                        "rid=05:00.0 name=uplink.vf1 id=8086:10ca class=020000 kind=vf "
                        "parent=01:00.0 port=00:01.0 unit=0");
    assert_string_equal(functions[DEEP].record, "rid=04:00.0 name=- id=144d:a80a class=010802 "
                                                "kind=function parent=03:00.0 port=00:02.0 unit=1");
    assert_string_equal(functions[UP].record, "rid=02:00.0 name=- id=8086:1111 class=060400 "
                                              "kind=bridge parent=00:02.0 port=00:02.0 unit=0");
    assert_string_equal(functions[ODD].record, "rid=0001:ff:1f.7 name=- id=abcd:ffff class=ff0000 "
                                               "kind=function parent=- port=- unit=-");
}

static void expect(const char *page, const char *line)
{
    if (strstr(page, line) == NULL)
        fail_msg("no '%s' in\n%s", line, page);
}

static void units_in_words(void **state)
{
    unit_count = 2;
    units[0] = (struct iommu_unit_report){.capability = 0x00d2008c222f0686,
                                          .extended_capability = 0xf00f5a};
    units[1] =
        (struct iommu_unit_report){.capability = UINT64_MAX, .extended_capability = UINT64_MAX};
    words_of_units();
    expect(iommu_words[0], "  CAP  2:0   ND         6  domain ids");
    expect(iommu_words[0], "  CAP  7     CM         1  ");
    expect(iommu_words[0], "  CAP  12:8  SAGAW      6  ");
    expect(iommu_words[0], "  CAP  21:16 MGAW      47  ");
    expect(iommu_words[0], "  ECAP 3     IR         1  ");
    expect(iommu_words[0], "  ECAP 7     SC         0  ");
    expect(iommu_words[0], "  ECAP 23:20 MHMV      15  ");
    /* The widest values stay inside the page, and the last field is there. */
    assert_true(strlen(iommu_words[1]) < PAGE_SIZE - 1);
    expect(iommu_words[1], "  CAP  33:24 FRO     1023  ");
    expect(iommu_words[1], "  ECAP 53    RPRIVS     1  ");
    assert_null(strchr(iommu_words[1], '%')); /* where decode_print() would end */

    /* One that does not answer has none. */
    const char *written[] = {iommu_words[0], iommu_words[1]};
    iommu_words[0] = iommu_words[1] = NULL;
    units[0].capability = 0;
    words_of_units();
    assert_null(iommu_words[0]);
    assert_non_null(iommu_words[1]);
    pages_free((void *)written[0], 1);
    pages_free((void *)written[1], 1);
    pages_free((void *)iommu_words[1], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(names_and_kinds, set_up),
        cmocka_unit_test_setup(the_tree, set_up),
        cmocka_unit_test_setup(records, set_up),
        cmocka_unit_test_setup(a_deep_tree, set_up),
        cmocka_unit_test(units_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
