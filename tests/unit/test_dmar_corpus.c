/* SPDX-License-Identifier: MIT */
// The DMAR parser over damaged tables and, where they are at hand, real machines' ones.
// SOURCES: hypervisor/acpi/dmar.c hypervisor/acpi/table.c
#include "tests/unit/support/dmar_builder.h"
#include "tests/unit/support/dmar_corpus.h"

/* --- every prefix and every single changed byte of a table: no read past the end, no endless loop,
 * and what is handed out lies inside --- */
static void check_bounds(const uint8_t *bytes, uint32_t length)
{
    struct dmar dmar;
    if (dmar_parse(bytes, length, &dmar) != STATUS_OK)
        return;
    assert_true(dmar.length <= length);
    struct dmar_structure one;
    struct dmar_scope device;
    uint32_t sum = 48;
    for (uint32_t cursor = 0; dmar_next(&dmar, &cursor, &one);) {
        assert_int_equal(one.offset, sum);
        sum += one.length;
        uint32_t inside = one.scope_offset;
        for (uint32_t at = 0; dmar_scope_next(&dmar, &one, &at, &device);)
            inside += 6u + 2u * device.path_length;
        assert_int_equal(inside, one.length);
    }
    assert_int_equal(sum, dmar.length);
}

static void test_damaged_tables(void **state)
{
    uint32_t begin = drhd(0, 0, 0xfed90000);
    scope(SCOPE_ENDPOINT, 0, 0, "0200");
    scope(SCOPE_BRIDGE, 0, 0, "1c040001");
    structure_end(begin);
    drhd(1, 0, 0xfed91000);
    begin = structure_begin(DMAR_ANDD);
    put(&table, 0, 4);
    put_text(&table, "X");
    structure_end(begin);
    table_end(&table);
    uint32_t length = table.length;
    for (uint32_t cut = 0; cut <= length; cut++) {
        uint8_t *bytes = exact_copy(table.bytes, cut);
        check_bounds(bytes, cut);
        free(bytes);
    }
    copy = exact_copy(table.bytes, length);
    for (uint32_t at = 0; at < length; at++) {
        for (unsigned value = 0; value < 256; value++) {
            copy[at] = (uint8_t)value;
            check_bounds(copy, length);
        }
        copy[at] = table.bytes[at];
        host_log_clear();
    }
}

/* --- real machines --- */
static void check_table(const char *name, const uint8_t *bytes, size_t length)
{
    struct dmar dmar;
    host_log_clear();
    if (dmar_parse(bytes, (uint32_t)length, &dmar) != STATUS_OK || dmar.length != length ||
        host_log_count("acpi.refused", NULL) != 0)
        fail_msg("%s: %u of %zu bytes understood: %s", name, dmar.length, length, host_log_text());
    check_bounds(bytes, (uint32_t)length);
    unsigned units = 0;
    struct dmar_structure one;
    for (uint32_t cursor = 0; dmar_next(&dmar, &cursor, &one);)
        units += one.type == DMAR_DRHD;
    assert_true(units > 0);
}

static void test_corpus(void **state)
{
    print_message("%u tables of real machines understood to the last byte\n",
                  corpus_each(check_table));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_damaged_tables, start, end),
        cmocka_unit_test_setup_teardown(test_corpus, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
