/* SPDX-License-Identifier: MIT */
// FADT and the \_S5 package of the DSDT.
// SOURCES: hypervisor/acpi/fadt.c hypervisor/acpi/table.c
#include <stdlib.h>

#include "hypervisor/acpi/acpi.h"
#include "hypervisor/acpi/fadt.h"
#include "tests/unit/support/tables.h"

static struct table_builder table;
static struct fadt fadt;

static int start(void **state)
{
    host_log_clear();
    return 0;
}

static void begin(uint32_t size)
{
    table_begin(&table, "FACP");
    put(&table, 0, size - 36);
    put_at(&table, 40, 0x7fe01000, 4);
    put_at(&table, 48, 0xb2, 4);
    put_at(&table, 52, 0xa0, 1);
    put_at(&table, 64, 0x604, 4);
    put_at(&table, 76, 0x608, 4);
    put_at(&table, 91, 4, 1);
    put_at(&table, 112, BIT(8) | BIT(10), 4);
}

static void gas(uint32_t offset, unsigned space, uint64_t address)
{
    put_at(&table, offset, space, 1);
    put_at(&table, offset + 1, 8, 1);
    put_at(&table, offset + 4, address, 8);
}

static enum status parse(void)
{
    table_end(&table);
    uint8_t *copy = exact_copy(table.bytes, table.length);
    enum status status = fadt_parse(copy, table.length, &fadt);
    free(copy);
    return status;
}

static void test_revision_1(void **state)
{
    begin(116);
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(fadt.dsdt, 0x7fe01000);
    assert_int_equal(fadt.smi_command_port, 0xb2);
    assert_int_equal(fadt.acpi_enable, 0xa0);
    assert_int_equal(fadt.pm1a_control_port, 0x604);
    assert_int_equal(fadt.pm1b_control_port, 0);
    assert_int_equal(fadt.pm_timer_port, 0x608);
    assert_true(fadt.pm_timer_32bit);
    assert_false(fadt.no_rtc);
    assert_int_equal(fadt.reset_space, 0xff); /* the flag is set, the field is not there */
}

static void test_clock_is_absent(void **state)
{
    begin(116);
    put_at(&table, 109, BIT(5), 2);
    assert_int_equal(parse(), STATUS_OK);
    assert_true(fadt.no_rtc);
}

/* Firmware before ACPI 2 knows no such flags. */
static void test_keyboard_controller(void **state)
{
    begin(116);
    assert_int_equal(parse(), STATUS_OK);
    assert_false(fadt.no_8042);
    table.bytes[8] = 3;
    assert_int_equal(parse(), STATUS_OK);
    assert_true(fadt.no_8042);
    put_at(&table, 109, BIT(1), 2);
    assert_int_equal(parse(), STATUS_OK);
    assert_false(fadt.no_8042);
}

static void test_extended_fields(void **state)
{
    begin(244);
    gas(116, 1, 0xcf9);
    put_at(&table, 128, 0x0f, 1);
    put_at(&table, 140, UINT64_C(0x123456789a), 8);
    gas(172, 1, 0x1804);
    gas(184, 0, 0x1234);  /* in memory: the 32-bit field holds */
    gas(208, 1, 0x10008); /* no port */
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(fadt.dsdt, UINT64_C(0x123456789a));
    assert_int_equal(fadt.reset_space, 1);
    assert_int_equal(fadt.reset_address, 0xcf9);
    assert_int_equal(fadt.reset_value, 0x0f);
    assert_int_equal(fadt.pm1a_control_port, 0x1804);
    assert_int_equal(fadt.pm1b_control_port, 0);
    assert_int_equal(fadt.pm_timer_port, 0x608);
    assert_string_equal(host_log_text(), "");
}

static void test_reset_registers(void **state)
{
    static const struct {
        unsigned space;
        uint64_t address;
        unsigned expected;
    } cases[] = {
        {1, 0x64, 1},          {0, 0xfe000000, 0}, {2, 0x10000, 0xff},  {1, 0x10000, 0xff},
        {0, UINT64_MAX, 0xff}, {1, 0, 0xff},       {0x7f, 0xcf9, 0xff},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        begin(244);
        gas(116, cases[i].space, cases[i].address);
        assert_int_equal(parse(), STATUS_OK);
        assert_int_equal(fadt.reset_space, cases[i].expected);
    }
    begin(244);
    gas(116, 1, 0xcf9);
    put_at(&table, 112, 0, 4); /* not supported, whatever the field says */
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(fadt.reset_space, 0xff);
    assert_false(fadt.pm_timer_32bit);
    assert_int_equal(host_log_count("acpi.refused", "offset=0x74"), 5);
}

static void test_hardware_reduced(void **state)
{
    begin(244);
    put_at(&table, 112, BIT(20) | BIT(10), 4);
    gas(116, 1, 0xcf9);
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(fadt.pm1a_control_port, 0);
    assert_int_equal(fadt.pm_timer_port, 0);
    assert_int_equal(fadt.smi_command_port, 0);
    assert_int_equal(fadt.reset_space, 1);
}

static void test_events(void **state)
{
    begin(244);
    put_at(&table, 10, 0x20534843 | UINT64_C(0x4f42) << 32, 6); /* another maker's */
    put_at(&table, 56, 0x600, 4);
    put_at(&table, 80, 0x620, 4);
    put_at(&table, 84, 0xfffe, 4);
    put_at(&table, 88, 4, 1);
    put_at(&table, 92, 17, 1);
    put_at(&table, 93, 4, 1);
    gas(160, 1, 0x700);
    assert_int_equal(parse(), STATUS_OK);
    assert_false(fadt.emulator);
    assert_int_equal(fadt.pm1_event_port[0], 0x600);
    assert_int_equal(fadt.pm1_event_port[1], 0x700);
    assert_int_equal(fadt.pm1_event_length, 4);
    assert_int_equal(fadt.gpe_port[0], 0x620);
    assert_int_equal(fadt.gpe_length[0], 16);
    assert_int_equal(fadt.gpe_port[1], 0); /* ends past the last port */
    assert_int_equal(host_log_count("acpi.refused", "offset=0x54 value=0xfffe"), 1);
    put_at(&table, 88, 2, 1); /* no room for both registers */
    put_at(&table, 92, 0, 1);
    memcpy(table.bytes + 10, "BOCHS ", 6);
    assert_int_equal(parse(), STATUS_OK);
    assert_true(fadt.emulator);
    assert_int_equal(fadt.pm1_event_port[0] | fadt.pm1_event_port[1] | fadt.gpe_port[0], 0);
}

static void test_bad_fields(void **state)
{
    begin(116);
    put_at(&table, 64, 0xfed00000, 4);
    put_at(&table, 91, 2, 1); /* no timer of 2 bytes exists */
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(fadt.pm1a_control_port, 0);
    assert_int_equal(fadt.pm_timer_port, 0);
    assert_int_equal(host_log_count("acpi.refused", "offset=0x40 value=0xfed00000"), 1);
    /* every length: no field past the end is read */
    begin(276);
    memset(table.bytes + 116, 0x01, 160);
    table_end(&table);
    for (uint32_t length = 0; length <= 276; length++) {
        uint8_t *copy = exact_copy(table.bytes, length);
        assert_int_equal(fadt_parse(copy, length, &fadt),
                         length < 116 ? STATUS_INVALID : STATUS_OK);
        free(copy);
    }
}

/* --- \_S5 --- */
static enum status find(const char *aml, size_t size, uint8_t *a, uint8_t *b)
{
    table_begin(&table, "DSDT");
    for (size_t i = 0; i < size; i++)
        put(&table, (uint8_t)aml[i], 1);
    table_end(&table);
    *a = *b = 0xee;
    uint8_t *copy = exact_copy(table.bytes, table.length);
    enum status status = dsdt_find_s5(copy, table.length, a, b);
    free(copy);
    return status;
}
#define FIND(aml) find(aml, sizeof(aml) - 1, &a, &b)

static void test_s5(void **state)
{
    uint8_t a, b;
    assert_int_equal(FIND("junk\x08_S5_\x12\x06\x04\x00\x00\x00\x00"), STATUS_OK);
    assert_int_equal(a | b, 0);
    assert_int_equal(FIND("\x08_S5_\x12\x0a\x04\x0a\x05\x0a\x07\x00\x00"), STATUS_OK);
    assert_int_equal(a, 5);
    assert_int_equal(b, 7);
    assert_int_equal(FIND("\x08\\_S5_\x12\x07\x02\x01\x0a\x06"), STATUS_OK);
    assert_int_equal(a, 1);
    assert_int_equal(b, 6);
    /* PkgLength of two and four bytes, constants of all widths */
    assert_int_equal(FIND("\x08_S5_\x12\x48\x00\x02\x0b\x03\x00\x0c\x04\x00\x00\x00"), STATUS_OK);
    assert_int_equal(a, 3);
    assert_int_equal(b, 4);
    assert_int_equal(FIND("\x08_S5_\x12\xc8\x00\x00\x00\x02\x0e\x05\0\0\0\0\0\0\0\x01"), STATUS_OK);
    assert_int_equal(a, 5);
    assert_int_equal(b, 1);
    /* a false start before the real one */
    assert_int_equal(FIND("\x14_S5_\x12\x08_S5_\x70\x08_S5_\x12\x04\x02\x01\x01"), STATUS_OK);
    assert_int_equal(a, 1);
}

static void test_s5_that_is_not_there(void **state)
{
    uint8_t a, b;
    assert_int_equal(FIND(""), STATUS_NOT_FOUND);
    assert_int_equal(FIND("_S5_\x12\x06\x04\x00\x00"), STATUS_NOT_FOUND);      /* no NameOp */
    assert_int_equal(FIND("\x08_S5_\x11\x06\x04\x00\x00"), STATUS_NOT_FOUND);  /* a buffer */
    assert_int_equal(FIND("\x08_S5_\x12\x06\x01\x00\x00"), STATUS_NOT_FOUND);  /* one element */
    assert_int_equal(FIND("\x08_S5_\x12\x06\x02\x0dZ\x00"), STATUS_NOT_FOUND); /* a string */
    static const char whole[] = "\x08_S5_\x12\xc8\x00\x00\x00\x02\x0c\x05\0\0\0\x0a\x07";
    for (size_t size = 0; size < sizeof whole - 1; size++)
        assert_int_equal(find(whole, size, &a, &b), STATUS_NOT_FOUND);
    assert_int_equal(find(whole, sizeof whole - 1, &a, &b), STATUS_OK);
    assert_int_equal(dsdt_find_s5("DSDT", 4, &a, &b), STATUS_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_revision_1, start),
        cmocka_unit_test_setup(test_clock_is_absent, start),
        cmocka_unit_test_setup(test_keyboard_controller, start),
        cmocka_unit_test_setup(test_extended_fields, start),
        cmocka_unit_test_setup(test_reset_registers, start),
        cmocka_unit_test_setup(test_hardware_reduced, start),
        cmocka_unit_test_setup(test_events, start),
        cmocka_unit_test_setup(test_bad_fields, start),
        cmocka_unit_test_setup(test_s5, start),
        cmocka_unit_test_setup(test_s5_that_is_not_there, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
