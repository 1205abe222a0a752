/* SPDX-License-Identifier: MIT */
// SRAT: processors and memory of each node.
// SOURCES: hypervisor/acpi/srat.c hypervisor/acpi/table.c
#include <stdlib.h>

#include "hypervisor/acpi/acpi.h"
#include "hypervisor/acpi/srat.h"
#include "tests/unit/support/tables.h"

static struct table_builder table;
static struct srat srat;

static int start(void **state)
{
    host_log_clear();
    table_begin(&table, "SRAT");
    table.bytes[8] = 3; /* revision */
    put(&table, 1, 4);
    put(&table, 0, 8);
    return 0;
}

static void xapic(uint32_t node, unsigned id, unsigned flags)
{
    put(&table, 0, 1);
    put(&table, 16, 1);
    put(&table, node & 0xff, 1);
    put(&table, id, 1);
    put(&table, flags, 4);
    put(&table, 0, 1);
    put(&table, node >> 8, 3);
    put(&table, 0, 4);
}

static void x2apic(uint32_t node, uint32_t id, unsigned flags)
{
    put(&table, 2, 1);
    put(&table, 24, 1);
    put(&table, 0, 2);
    put(&table, node, 4);
    put(&table, id, 4);
    put(&table, flags, 4);
    put(&table, 0, 8);
}

static void memory(uint32_t node, uint64_t base, uint64_t size, unsigned flags)
{
    put(&table, 1, 1);
    put(&table, 40, 1);
    put(&table, node, 4);
    put(&table, 0, 2);
    put(&table, base, 8);
    put(&table, size, 8);
    put(&table, 0, 4);
    put(&table, flags, 4);
    put(&table, 0, 8);
}

static enum status parse(void)
{
    table_end(&table);
    uint8_t *copy = exact_copy(table.bytes, table.length);
    enum status status = srat_parse(copy, table.length, &srat);
    free(copy);
    return status;
}

static void test_usual_machine(void **state)
{
    xapic(0, 0, 1);
    xapic(0x1234501, 2, 1);
    xapic(1, 4, 0); /* not there */
    x2apic(1, 0x100, 1);
    x2apic(1, 0x101, 0);
    memory(0, 0, MIB(640), 1);
    memory(0, GIB(4), GIB(4), 1);
    memory(1, GIB(8), GIB(8), 1);
    memory(1, GIB(16), GIB(8), 0);
    memory(1, GIB(64), GIB(8), 3); /* hot-pluggable: where it would be is known */
    memory(2, GIB(128), GIB(8), 1 | BIT(3));
    put(&table, 5, 1); /* a generic initiator, and one that nobody knows yet */
    put(&table, 32, 1);
    put(&table, UINT64_MAX, 30);
    put(&table, 99, 1);
    put(&table, 8, 1);
    put(&table, UINT64_MAX, 6);
    assert_int_equal(parse(), STATUS_OK);
    assert_string_equal(host_log_text(), "");
    assert_int_equal(srat.cpu_count, 3);
    assert_int_equal(srat.cpu[0].apic_id, 0);
    assert_int_equal(srat.cpu[0].node, 0);
    assert_int_equal(srat.cpu[1].apic_id, 2);
    assert_int_equal(srat.cpu[1].node, 0x1234501);
    assert_int_equal(srat.cpu[2].apic_id, 0x100);
    assert_int_equal(srat.cpu[2].node, 1);
    assert_int_equal(srat.memory_count, 5);
    assert_int_equal(srat.memory[1].base, GIB(4));
    assert_int_equal(srat.memory[1].end, GIB(8));
    assert_int_equal(srat.memory[2].node, 1);
    assert_false(srat.memory[3].special);
    assert_int_equal(srat.memory[4].node, 2);
    assert_true(srat.memory[4].special);
}

/* Before revision 2 the upper bits of the domain were reserved, and not always zero. */
static void test_narrow_domains(void **state)
{
    table.bytes[8] = 1;
    xapic(0xffffff03, 7, 1);
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(srat.cpu[0].node, 3);
}

static void test_processors_twice(void **state)
{
    xapic(0, 1, 1);
    x2apic(0, 1, 1);
    x2apic(1, 1, 1);
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(srat.cpu_count, 1);
    assert_int_equal(srat.cpu[0].node, 0);
    assert_int_equal(host_log_count("acpi.refused", "two proximity domains"), 1);
}

static void test_memory_that_cannot_be(void **state)
{
    memory(0, MIB(1), GIB(1), 1);
    memory(0, MIB(2), MIB(2), 1); /* twice in one node: no harm */
    memory(1, MIB(512), GIB(1), 1);
    memory(1, 0, UINT64_MAX, 1);
    memory(1, GIB(4), 0, 1);
    memory(1, UINT64_MAX - PAGE_SIZE + 1, PAGE_SIZE, 1);
    memory(1, UINT64_MAX, UINT64_MAX, 1);
    memory(1, GIB(2), GIB(1), 1);
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(srat.memory_count, 3);
    assert_int_equal(srat.memory[2].base, GIB(2));
    assert_int_equal(host_log_count("acpi.refused", "two proximity domains"), 2);
    assert_int_equal(host_log_count("acpi.refused", "behind the last address"), 3);
}

static void test_more_than_fit(void **state)
{
    for (unsigned i = 0; i < SRAT_MAX_CPUS + 5; i++)
        x2apic(i / 8, 1000 + i, 1);
    for (unsigned i = 0; i < SRAT_MAX_MEMORY + 3; i++)
        memory(i, GIB(1) * i, GIB(1), 1);
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(srat.cpu_count, SRAT_MAX_CPUS);
    assert_int_equal(srat.memory_count, SRAT_MAX_MEMORY);
    assert_int_equal(host_log_count("acpi.refused", "more processors"), 5);
    assert_int_equal(host_log_count("acpi.refused", "more pieces of memory"), 3);
}

static void test_bad_entry_lengths(void **state)
{
    static const unsigned lengths[] = {0, 1, 7, 200};
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        start(NULL);
        xapic(0, 7, 1);
        xapic(0, 8, 1);
        put_at(&table, table.length - 15, lengths[i], 1);
        xapic(0, 9, 1);
        assert_int_equal(parse(), STATUS_OK);
        assert_int_equal(srat.cpu_count, 1);
        assert_int_equal(host_log_count("acpi.refused", "table=SRAT offset=0x40"), 1);
    }
    start(NULL); /* too short for their types, but not for the walk */
    static const unsigned types[] = {0, 1, 2}, whole[] = {16, 40, 24};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        put(&table, types[i], 1);
        put(&table, whole[i] - 1, 1);
        for (unsigned byte = 2; byte < whole[i] - 1; byte++)
            put(&table, 0xff, 1);
    }
    xapic(0, 9, 1);
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(srat.cpu_count, 1);
    assert_int_equal(srat.memory_count, 0);
    assert_int_equal(host_log_count("acpi.refused", "too short for its type"), 3);
    start(NULL); /* one byte left over */
    put(&table, 0, 1);
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(host_log_count("acpi.refused", NULL), 1);
}

/* Cut at every byte: what is whole is used, nothing behind the end is read. */
static void test_truncated(void **state)
{
    xapic(0, 1, 1);
    memory(0, 0, GIB(1), 1);
    x2apic(1, 2, 1);
    table_end(&table);
    for (uint32_t length = 0; length < table.length; length++) {
        uint8_t *copy = exact_copy(table.bytes, length);
        enum status status = srat_parse(copy, length, &srat);
        free(copy);
        assert_int_equal(status, length < 48 ? STATUS_INVALID : STATUS_OK);
        assert_int_equal(srat.cpu_count, length >= 64);
        assert_int_equal(srat.memory_count, length >= 104);
    }
    table.bytes[3] = 'X';
    assert_int_equal(srat_parse(table.bytes, table.length, &srat), STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_usual_machine, start),
        cmocka_unit_test_setup(test_narrow_domains, start),
        cmocka_unit_test_setup(test_processors_twice, start),
        cmocka_unit_test_setup(test_memory_that_cannot_be, start),
        cmocka_unit_test_setup(test_more_than_fit, start),
        cmocka_unit_test_setup(test_bad_entry_lengths, start),
        cmocka_unit_test_setup(test_truncated, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
