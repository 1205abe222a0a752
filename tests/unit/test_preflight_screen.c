/* SPDX-License-Identifier: MIT */
// SOURCES: boot/preflight/screen.c boot/preflight/mapped.c hypervisor/base/format.c
/* What fits onto a screen, and what page tables let be read. */
#include <stdio.h>
#include <string.h>

#include "boot/preflight/preflight.h"
#include "tests/unit/support/host.h"

static char shown[8192];
static size_t used, lines;
static const char *result = "written";

static void show(const char *text)
{
    size_t length = strlen(text);
    assert_true(length >= 1 && length <= 80 && text[length - 1] == '\n');
    assert_ptr_equal(strchr(text, '\n'), text + length - 1);
    memcpy(shown + used, text, length + 1);
    used += length;
    lines++;
}

static void screen(const char *report)
{
    static const struct preflight facts = {
        .madt.cpu_count = 8, .vmx = true, .x2apic = true, .units = 2, .usable_units = 1};
    used = lines = 0;
    preflight_screen(&facts, report, strlen(report), "sriov.conf", result, show);
    assert_true(lines <= 24);
}

static void test_a_few_lines(void **state)
{
    screen("cpu.name vendor=\"X\" brand=\"A CPU\"\n"
           "pci.sriov pf=01:00.0 total=8\n"
           "config.can line=4 section=nic name=uplink item=\"device = 8086:10c9\"\n"
           "config.unsure line=5 section=guest name=a item=\"device = u.vf0\" message=\"perhaps\"\n"
           "config.cannot line=6 section=guest name=b item=\"guest\" message=\"no; do this\"\n"
           "iommu.refused base=0x1 message=\"enable \\\"VT-d\\\" \\\\ now\"\n"
           "pci.sriovs pf=02:00.0\n");
    static const char *const parts[] = {
        "Bulkhead preflight: written\n",
        "CPU      A CPU\n",
        "8 logical CPUs, VMX yes, SVM no",
        "1 of 2 VT-d units usable",
        "cards with SR-IOV: 1;",
        " ? line 5: a, device = u.vf0: perhaps\n",
        " ! line 6: b, guest: no; do this\n",
        " ! enable \"VT-d\" \\ now\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        assert_non_null(strstr(shown, parts[i]));
    assert_null(strstr(shown, "line 4"));
}

/* More problems than fit, each of them longer than a line; and a report that ends anywhere. */
static void test_too_much(void **state)
{
    static char report[20000];
    size_t length = 0;
    for (unsigned i = 0; i < 40; i++)
        length += (size_t)snprintf(report + length, sizeof report - length,
                                   "config.cannot line=%u section=guest name=%s item=\"%s\" "
                                   "message=\"%s %s\"\n",
                                   i, "a-name-that-is-thirty-one-letter", "device = uplink.vf0",
                                   "a long sentence about what is missing in this machine and",
                                   "another one about what to do against it");
    screen(report);
    assert_non_null(
        strstr(shown, " ! line 0: a-name-that-is-thirty-one-letter, device = uplink.vf0: a long\n"
                      "      sentence about what is missing in this machine and another one about\n"
                      "      what to do against it\n"));
    assert_non_null(strstr(shown, "and 36 more in the file"));
    for (size_t cut = 0; cut < 600; cut++) {
        report[length - cut] = '\0';
        screen(report);
    }
}

/* --- page tables --- */

static uint64_t tables[8][512];

static uint64_t entry(uint64_t table, unsigned index)
{
    assert_true(table / 4096 >= 1 && table / 4096 < ARRAY_SIZE(tables) && index < 512);
    return tables[table / 4096][index];
}

static bool mapped(uint64_t address, uint64_t size)
{
    return preflight_mapped(0x1018, 4, address, size, entry);
}

/* Why a report was not written is not cut, and takes its lines from the problems. */
static void test_a_long_result(void **state)
{
    static char report[4096];
    report[0] = '\0';
    for (unsigned i = 0; i < 30; i++)
        strcat(report, "pci.refused message=\"one line\"\n");
    result =
        "\\bulkhead\\preflight.txt cannot be written: a file or folder of that name is read-only "
        "(status 0x800000000000000f)";
    screen(report);
    result = "written";
    assert_non_null(strstr(shown, "(status 0x800000000000000f)\n"));
    assert_non_null(strstr(shown, "more in the file"));
}

static void test_what_is_mapped(void **state)
{
    memset(tables, 0, sizeof tables);
    tables[1][0] = 0x2003;
    tables[2][0] = 0x3003;
    tables[2][1] = 0x40000083; /* 1 GiB at 1 GiB */
    tables[2][2] = 0xc0000083; /* 3 GiB at 2 GiB: elsewhere */
    tables[3][0] = 0x4003;
    tables[3][1] = 0x200083; /* 2 MiB */
    tables[4][1] = 0x1003 | BIT(63);
    tables[4][2] = 0x2003;
    tables[4][3] = 0x3002; /* not present */
    assert_true(mapped(0x1000, 4096));
    assert_true(mapped(0x1fff, 2));
    assert_true(mapped(0x1000, 8192));
    assert_false(mapped(0, 1));
    assert_false(mapped(0x2000, 4097));
    assert_false(mapped(0x3000, 1));
    assert_true(mapped(0x200000, MIB(2)));
    assert_false(mapped(0x200000, MIB(2) + 1));
    assert_true(mapped(0x40000000, GIB(1)));
    assert_false(mapped(0x40000000, GIB(1) + 1));
    assert_false(mapped(0x80000000, 1));
    assert_false(mapped(UINT64_C(0x8000000000), 1));
    assert_false(mapped(UINT64_C(0x800000000000), 1));
    assert_false(mapped(UINT64_MAX - 4095, 8192));
    assert_false(mapped(0x1000, 0));
    /* A table that leads back to itself ends, too. */
    tables[1][1] = 0x1003;
    (void)mapped(UINT64_C(0x8000000000), 4096);
    tables[5][0] = 0x1003;
    assert_true(preflight_mapped(0x5000, 5, 0x1000, 4096, entry));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_few_lines),
        cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_a_long_result),
        cmocka_unit_test(test_what_is_mapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
