/* SPDX-License-Identifier: MIT */
// WDAT and ERST: what is read of them, what is refused, and what their actions do.
// SOURCES: hypervisor/acpi/action.c hypervisor/acpi/wdat.c hypervisor/acpi/erst.c
#include <stdio.h>

#include "hypervisor/acpi/erst.h"
#include "hypervisor/acpi/wdat.h"
#include "tests/unit/support/tables.h"

static struct table_builder table;
static struct acpi_problem problem;
static struct acpi_actions actions;
static struct wdat wdat;

enum { MEMORY, PORT };

static void put_register(unsigned space, unsigned bits, unsigned shift, unsigned size,
                         uint64_t address)
{
    put(&table, space, 1);
    put(&table, bits, 1);
    put(&table, shift, 1);
    put(&table, size, 1);
    put(&table, address, 8);
}

static void step(unsigned action, unsigned operation, unsigned flags, unsigned space, unsigned bits,
                 uint64_t address, uint64_t value, uint64_t mask)
{
    put(&table, action, 1);
    put(&table, operation, 1);
    put(&table, flags, 2);
    put_register(space, bits, 0, 0, address);
    put(&table, value, 8);
    put(&table, mask, 8);
    put_at(&table, 44, (table.length - 48) / 32, 4);
}

static void begin_erst(void)
{
    table_begin(&table, "ERST");
    put(&table, 48, 4);
    put(&table, 0, 8);
}

static enum status parse_erst(void)
{
    table_end(&table);
    uint8_t *copy = exact_copy(table.bytes, table.length);
    problem = (struct acpi_problem){0};
    enum status status = erst_parse(copy, table.length, &actions, &problem);
    free(copy);
    return status;
}

static void begin_wdat(void)
{
    table_begin(&table, "WDAT");
    put(&table, 32, 4);
    put(&table, 0xffffffff, 8); /* no PCI function */
    put(&table, 600, 4);
    put(&table, 0x3ff, 4);
    put(&table, 4, 4);
    put(&table, 0x81, 4);
    put(&table, 0, 4);
}

static void entry(unsigned action, unsigned operation, unsigned space, unsigned bits,
                  uint64_t address, uint32_t value, uint32_t mask)
{
    put(&table, action, 1);
    put(&table, operation, 1);
    put(&table, 0, 2);
    put_register(space, bits, 0, 0, address);
    put(&table, value, 4);
    put(&table, mask, 4);
    put_at(&table, 64, (table.length - 68) / 24, 4);
}

static enum status parse_wdat(void)
{
    table_end(&table);
    uint8_t *copy = exact_copy(table.bytes, table.length);
    problem = (struct acpi_problem){0};
    enum status status = wdat_parse(copy, table.length, &wdat, &problem);
    free(copy);
    return status;
}

/* --- a machine --- */

static uint64_t registers[0x10000];
static uint64_t stalled;
static char trace[1024];

static uint64_t read_register(void *context, const struct acpi_register *reg)
{
    assert_ptr_equal(context, trace);
    return registers[reg->address & 0xffff];
}

static void write_register(void *context, const struct acpi_register *reg, uint64_t value)
{
    assert_ptr_equal(context, trace);
    registers[reg->address & 0xffff] = value;
    snprintf(trace + strlen(trace), sizeof trace - strlen(trace), "%s%lx/%u=%lx ",
             reg->port ? "p" : "m", reg->address, reg->width, value);
}

static void stall(uint64_t microseconds)
{
    stalled += microseconds;
    if (stalled >= 500)
        registers[0x80] &= ~UINT64_C(1);
}

static enum status run(const struct acpi_actions *from, uint8_t action, uint64_t *value)
{
    const struct acpi_access access = {read_register, write_register, stall, trace};
    stalled = 0;
    trace[0] = '\0';
    return acpi_action_run(from, action, &access, value);
}

/* An Intel chipset's watchdog: halted by bit 11 of a port. */
static void test_a_watchdog_is_stopped(void **state)
{
    uint64_t value = 0;
    begin_wdat();
    entry(WDAT_QUERY_RUNNING, 0x00, PORT, 16, 0x668, 0, 0x800);
    entry(WDAT_STOP, 0x82, PORT, 16, 0x668, 0x800, 0x800);
    entry(WDAT_QUERY_STOPPED, 0x00, PORT, 16, 0x668, 0x800, 0x800);
    entry(1, 0x02, PORT, 16, 0x660, 1, 0x3ff);
    assert_int_equal(parse_wdat(), STATUS_OK);
    assert_int_equal(wdat.actions.count, 4);
    assert_int_equal(wdat.period, 600);
    assert_int_equal(wdat.longest, 0x3ff);
    assert_true(wdat.enabled);
    registers[0x668] = 0x4203;
    assert_int_equal(run(&wdat.actions, WDAT_QUERY_RUNNING, &value), STATUS_OK);
    assert_int_equal(value, 1);
    assert_int_equal(run(&wdat.actions, WDAT_QUERY_STOPPED, &value), STATUS_OK);
    assert_int_equal(value, 0);
    assert_int_equal(run(&wdat.actions, WDAT_STOP, &value), STATUS_OK);
    assert_string_equal(trace, "p668/2=4a03 ");
    assert_int_equal(run(&wdat.actions, WDAT_QUERY_STOPPED, &value), STATUS_OK);
    assert_int_equal(value, 1);
    assert_int_equal(run(&wdat.actions, 0x21, &value), STATUS_NOT_FOUND);
}

static void test_fields_within_registers(void **state)
{
    uint64_t value = 0x1a5;
    begin_erst();
    step(ERST_SET_OFFSET, ACPI_WRITE, 0, MEMORY, 32, 0xfed00010, 0, 0xff);
    put_at(&table, 48 + 6, 8, 1); /* the field begins with bit 8 */
    step(ERST_STATUS, ACPI_READ, 0, MEMORY, 32, 0xfed00010, 0, 0xf);
    put_at(&table, 48 + 32 + 6, 12, 1);
    step(ERST_END, ACPI_WRITE_VALUE, 1, MEMORY, 8, 0xfed00010, 0x55, 0x0f);
    put_at(&table, 48 + 64 + 7, 4, 1); /* 8 bits wide, but accessed as 64 */
    assert_int_equal(parse_erst(), STATUS_OK);
    registers[0x10] = 0xffffffff;
    assert_int_equal(run(&actions, ERST_SET_OFFSET, &value), STATUS_OK);
    assert_string_equal(trace, "mfed00010/4=a500 ");
    assert_int_equal(run(&actions, ERST_STATUS, &value), STATUS_OK);
    assert_int_equal(value, 0xa);
    assert_int_equal(run(&actions, ERST_END, &value), STATUS_OK);
    assert_string_equal(trace, "mfed00010/8=a505 ");
}

static void test_arithmetic_and_jumps(void **state)
{
    uint64_t value = 0;
    begin_erst();
    step(0, ACPI_LOAD_1, 0, MEMORY, 64, 0x10040, 0, UINT64_MAX);
    step(0, ACPI_LOAD_2, 0, MEMORY, 64, 0x10048, 0, UINT64_MAX);
    step(7, ACPI_WRITE_VALUE, 0, PORT, 8, 0x60, 1, 0xff); /* of another action, in between */
    step(0, ACPI_ADD, 0, 9, 0, 0, 0, 0);
    step(0, ACPI_SKIP_IF, 0, MEMORY, 64, 0x10048, 7, UINT64_MAX);
    step(0, ACPI_GOTO, 0, 9, 0, 0, 6, 0);
    step(0, ACPI_SUBTRACT, 0, 9, 0, 0, 0, 0);
    step(0, ACPI_STORE_1, 0, MEMORY, 64, 0x10050, 0, UINT64_MAX);
    step(0, ACPI_ADD_VALUE, 0, MEMORY, 64, 0x10050, 3, UINT64_MAX);
    step(0, ACPI_SUBTRACT_VALUE, 0, MEMORY, 64, 0x10050, 1, UINT64_MAX);
    step(0, ACPI_NOTHING, 0, 9, 0, 0, 0, 0);
    assert_int_equal(parse_erst(), STATUS_OK);
    registers[0x40] = 100;
    registers[0x48] = 7; /* skips GOTO: 100 + 7 - 7 */
    assert_int_equal(run(&actions, 0, &value), STATUS_OK);
    assert_int_equal(registers[0x50], 102);
    registers[0x48] = 8; /* 100 + 8 */
    assert_int_equal(run(&actions, 0, &value), STATUS_OK);
    assert_int_equal(registers[0x50], 110);
}

static void test_everything_ends(void **state)
{
    uint64_t value = 0;
    begin_erst();
    step(0, ACPI_GOTO, 0, 9, 0, 0, 0, 0);
    step(1, ACPI_LOAD_1, 0, MEMORY, 64, 0x10040, 0, UINT64_MAX);
    step(1, ACPI_STALL_WHILE, 0, MEMORY, 64, 0x10080, 1, 1);
    step(2, ACPI_STALL, 0, 9, 0, 0, UINT64_MAX, 0);
    step(3, ACPI_GOTO, 0, 9, 0, 0, UINT64_MAX, 0);
    step(4, ACPI_SKIP_IF, 0, MEMORY, 64, 0x10080, 0, 0);
    step(5, 0x12, 0, MEMORY, 64, 0x10080, 0, 0);
    assert_int_equal(parse_erst(), STATUS_OK);
    assert_int_equal(run(&actions, 0, &value), STATUS_TIMEOUT);
    registers[0x80] = 1;
    registers[0x40] = 100;
    assert_int_equal(run(&actions, 1, &value), STATUS_OK);
    assert_int_equal(stalled, 500);
    registers[0x80] = 1;
    registers[0x40] = UINT64_MAX;
    assert_int_equal(run(&actions, 1, &value), STATUS_TIMEOUT);
    assert_int_equal(run(&actions, 2, &value), STATUS_TIMEOUT);
    assert_int_equal(stalled, 0);
    assert_int_equal(run(&actions, 3, &value), STATUS_OK);
    assert_int_equal(run(&actions, 4, &value), STATUS_OK);
    assert_int_equal(run(&actions, 5, &value), STATUS_UNSUPPORTED); /* copies memory */
}

/* One thing wrong, and nothing of the table is used. */
static void test_what_is_refused(void **state)
{
    static const struct {
        uint32_t at;
        unsigned size;
        uint64_t value;
        const char *message;
        uint32_t offset;
    } cases[] = {
        {0, 1, 'X', "signature", 0},
        {64, 4, 2, "more entries", 64},
        {64, 4, UINT32_MAX, "more entries", 64},
        {69, 1, 4, "operation", 68},
        {72, 1, 2, "neither a port nor in memory", 72},
        {72, 1, 0x7f, "neither", 72},
        {73, 1, 12, "width", 73},
        {73, 1, 64, "width", 73},
        {73, 1, 0, "width", 73},
        {74, 1, 16, "behind its register", 74},
        {75, 1, 5, "width", 73},
        {76, 8, 0, "address", 76},
        {76, 8, 0xffff, "address", 76},
        {76, 8, UINT64_MAX, "address", 76},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        begin_wdat();
        entry(WDAT_STOP, 0x82, PORT, 16, 0x668, 0x800, 0x800);
        put_at(&table, cases[i].at, cases[i].value, cases[i].size);
        assert_int_equal(parse_wdat(), STATUS_INVALID);
        assert_non_null(strstr(problem.message, cases[i].message));
        assert_int_equal(problem.offset, cases[i].offset);
    }
    begin_wdat();
    for (unsigned i = 0; i < ACPI_MAX_STEPS; i++)
        entry(1, 0x02, PORT, 8, 0x60, 0, 0);
    assert_int_equal(parse_wdat(), STATUS_OK);
    entry(1, 0x02, PORT, 8, 0x60, 0, 0);
    assert_int_equal(parse_wdat(), STATUS_INVALID);
    assert_non_null(strstr(problem.message, "more steps"));
    begin_erst();
    step(0, 0x13, 0, PORT, 8, 0x60, 0, 0);
    assert_int_equal(parse_erst(), STATUS_INVALID);
    begin_erst();
    put_at(&table, 44, 1, 4);
    assert_int_equal(parse_erst(), STATUS_INVALID);
}

/* At every length: what is cut is not used. */
static void test_cut_anywhere(void **state)
{
    begin_wdat();
    entry(WDAT_STOP, 0x82, PORT, 16, 0x668, 0x800, 0x800);
    table_end(&table);
    for (uint32_t length = 0; length < table.length; length++) {
        uint8_t *copy = exact_copy(table.bytes, length);
        assert_int_equal(wdat_parse(copy, length, &wdat, &problem), STATUS_INVALID);
        free(copy);
    }
    begin_erst();
    step(0, ACPI_NOTHING, 0, 0, 0, 0, 0, 0);
    table_end(&table);
    for (uint32_t length = 0; length < table.length; length++) {
        uint8_t *copy = exact_copy(table.bytes, length);
        assert_int_equal(erst_parse(copy, length, &actions, &problem), STATUS_INVALID);
        free(copy);
    }
}

static void test_whose_record_it_is(void **state)
{
    struct erst_record record;
    erst_record_make(&record, 8192);
    assert_int_equal(erst_record_words(&record, 8192), 8192 - sizeof record);
    assert_int_equal(erst_record_words(&record, 8191), 0);
    assert_int_equal(erst_record_words(&record, sizeof record - 1), 0);
    for (size_t bit = 0; bit < 8 * sizeof record; bit++) {
        ((uint8_t *)&record)[bit / 8] ^= (uint8_t)(1u << bit % 8);
        size_t words = erst_record_words(&record, 8192);
        assert_true(words % 8 == 0 && words <= 8192 - sizeof record);
        ((uint8_t *)&record)[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    record.header.creator[3]++; /* an operating system's */
    assert_int_equal(erst_record_words(&record, 8192), 0);
    erst_record_make(&record, 8192);
    record.header.id++;
    assert_int_equal(erst_record_words(&record, 8192), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_watchdog_is_stopped),
        cmocka_unit_test(test_fields_within_registers),
        cmocka_unit_test(test_arithmetic_and_jumps),
        cmocka_unit_test(test_everything_ends),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_whose_record_it_is),
    };
    return cmocka_run_group_tests_name("actions", tests, NULL, NULL);
}
