/* SPDX-License-Identifier: MIT */
// MCFG: where configuration space is.
// SOURCES: hypervisor/acpi/mcfg.c hypervisor/acpi/table.c
#include <stdlib.h>

#include "hypervisor/acpi/acpi.h"
#include "hypervisor/acpi/mcfg.h"
#include "tests/unit/support/tables.h"

static struct table_builder table;
static struct mcfg mcfg;

static int start(void **state)
{
    host_log_clear();
    table_begin(&table, "MCFG");
    put(&table, 0, 8);
    return 0;
}

static void entry(uint64_t base, unsigned segment, unsigned first, unsigned last)
{
    put(&table, base, 8);
    put(&table, segment, 2);
    put(&table, first, 1);
    put(&table, last, 1);
    put(&table, 0, 4);
}

static enum status parse(void)
{
    table_end(&table);
    uint8_t *copy = exact_copy(table.bytes, table.length);
    enum status status = mcfg_parse(copy, table.length, &mcfg);
    free(copy);
    return status;
}

static void test_good_entries(void **state)
{
    entry(0xe0000000, 0, 0, 255);
    entry(0x3ff0000000, 1, 0, 63);
    entry(0x3ff0000000, 1, 64, 255); /* the rest of the same segment */
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(mcfg.count, 3);
    assert_int_equal(mcfg.segment[0].base, 0xe0000000);
    assert_int_equal(mcfg.segment[0].end_bus, 255);
    assert_int_equal(mcfg.segment[2].segment, 1);
    assert_int_equal(mcfg.segment[2].start_bus, 64);
    assert_string_equal(host_log_text(), "");
}

static void test_bad_entries_are_left_out(void **state)
{
    entry(0xe0000000, 0, 0, 127);
    entry(0x80000000, 0, 127, 255);               /* bus 127 twice */
    entry(0xe0000000, 2, 100, 110);               /* the same bytes for another segment */
    entry(0xc0000000, 3, 9, 8);                   /* backwards */
    entry(0, 4, 0, 0);                            /* nowhere */
    entry(0xd0000800, 5, 0, 0);                   /* not 1 MiB aligned */
    entry(UINT64_C(0xfffffffff00000), 6, 0, 255); /* beyond physical addresses */
    entry(UINT64_MAX - 0xfffff, 7, 0, 255);
    entry(0x80000000, 0, 128, 255);
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(mcfg.count, 2);
    assert_int_equal(mcfg.segment[1].start_bus, 128);
    assert_int_equal(host_log_count("acpi.refused", "table=MCFG"), 7);
}

static void test_more_than_fit(void **state)
{
    for (unsigned i = 0; i < MCFG_MAX_SEGMENTS + 2; i++)
        entry(GIB(16) + i * MIB(256), i, 0, 255);
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(mcfg.count, MCFG_MAX_SEGMENTS);
    assert_int_equal(host_log_count("acpi.refused", "more entries"), 2);
}

static void test_cut_and_empty(void **state)
{
    assert_int_equal(parse(), STATUS_NOT_FOUND);
    entry(0xe0000000, 0, 0, 255);
    entry(0xd0000000, 1, 0, 255);
    table.length -= 1;
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(mcfg.count, 1);
    assert_int_equal(host_log_count("acpi.refused", "cut off"), 1);
    for (uint32_t length = 0; length < 44; length++) {
        uint8_t *copy = exact_copy(table.bytes, length);
        assert_int_equal(mcfg_parse(copy, length, &mcfg), STATUS_INVALID);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_good_entries, start),
        cmocka_unit_test_setup(test_bad_entries_are_left_out, start),
        cmocka_unit_test_setup(test_more_than_fit, start),
        cmocka_unit_test_setup(test_cut_and_empty, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
