/* SPDX-License-Identifier: MIT */
// SPCR and DBG2: which serial port firmware's console and debugger have; and finding one table.
// SOURCES: hypervisor/acpi/serial_port.c hypervisor/acpi/spcr.c hypervisor/acpi/dbg2.c
// SOURCES: hypervisor/acpi/find.c hypervisor/acpi/table.c
#include <stdlib.h>

#include "hypervisor/acpi/find.h"
#include "hypervisor/acpi/serial_port.h"
#include "tests/unit/support/tables.h"

static struct table_builder table;
static struct acpi_serial_port port;

static void gas(unsigned space, unsigned width, unsigned access, uint64_t address)
{
    put(&table, space, 1);
    put(&table, width, 1);
    put(&table, 0, 1);
    put(&table, access, 1);
    put(&table, address, 8);
}

/* Revision 2, 80 bytes. */
static void spcr(unsigned type, unsigned space, unsigned width, unsigned access, uint64_t address,
                 unsigned baud)
{
    host_log_clear();
    table_begin(&table, "SPCR");
    table.bytes[8] = 2;
    put(&table, type, 4);
    gas(space, width, access, address);
    put(&table, 0x04000001, 6); /* interrupt */
    put(&table, baud, 1);
    put(&table, 0x0100, 5);
    put(&table, 0xffffffff, 4); /* no PCI device */
    put(&table, 0, 12);
    assert_int_equal(table.length, 80);
}

static enum status parse(enum status (*parser)(const void *, uint32_t, struct acpi_serial_port *))
{
    table_end(&table);
    uint8_t *copy = exact_copy(table.bytes, table.length);
    enum status status = parser(copy, table.length, &port);
    free(copy);
    return status;
}

static void test_ports(void **state)
{
    spcr(0, 1, 8, 0, 0x2f8, 7);
    assert_int_equal(parse(spcr_parse), STATUS_OK);
    assert_false(port.memory);
    assert_int_equal(port.address, 0x2f8);
    assert_int_equal(port.stride, 1);
    assert_int_equal(port.divisor, 1);
    spcr(1, 1, 32, 3, 0x3e8, 3); /* widths of a port say nothing */
    assert_int_equal(parse(spcr_parse), STATUS_OK);
    assert_int_equal(port.stride, 1);
    assert_int_equal(port.width, 1);
    assert_int_equal(port.divisor, 12);
    spcr(0, 1, 8, 1, 0x3060, 0);
    assert_int_equal(parse(spcr_parse), STATUS_OK);
    assert_int_equal(port.divisor, 0); /* as it is */
    assert_string_equal(host_log_text(), "");
}

static void test_memory(void **state)
{
    static const struct {
        unsigned type, width, access;
        unsigned stride, bytes; /* 0: refused */
    } cases[] = {
        {0, 8, 1, 1, 1},      {0, 8, 0, 1, 1},     {0, 0, 0, 1, 1},   {0, 32, 1, 4, 1},
        {0, 32, 3, 4, 4},     {0x12, 16, 2, 2, 1}, {0, 8, 3, 4, 4},   {5, 8, 1, 4, 1},
        {0x12, 32, 32, 4, 4}, {0, 24, 1, 0, 0},    {0, 64, 1, 0, 0},  {0, 8, 4, 0, 0},
        {0, 7, 1, 0, 0},      {0, 8, 0xff, 0, 0},  {0, 255, 1, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        spcr(cases[i].type, 0, cases[i].width, cases[i].access, 0xfedc9000, 7);
        bool good = cases[i].stride != 0;
        assert_int_equal(parse(spcr_parse), good ? STATUS_OK : STATUS_INVALID);
        assert_int_equal(host_log_count("acpi.refused", "8, 16 or 32 bits"), !good);
        if (!good)
            continue;
        assert_true(port.memory);
        assert_int_equal(port.stride, cases[i].stride);
        assert_int_equal(port.width, cases[i].bytes);
        assert_int_equal(port.divisor, 0); /* whatever clock it has */
    }
    spcr(0, 0, 32, 3, 0xfedc9002, 7);
    assert_int_equal(parse(spcr_parse), STATUS_INVALID);
    spcr(0, 0, 8, 1, UINT64_MAX, 7);
    assert_int_equal(parse(spcr_parse), STATUS_INVALID);
    assert_int_equal(host_log_count("acpi.refused", "not an address"), 1);
}

static void test_clock_and_precise_baud(void **state)
{
    spcr(0x12, 0, 32, 3, 0xfe030000, 7);
    table.bytes[8] = 3;
    put_at(&table, 76, 48000000, 4);
    assert_int_equal(parse(spcr_parse), STATUS_OK);
    assert_int_equal(port.divisor, 26);
    table.bytes[8] = 4;
    put(&table, 921600, 4);
    put(&table, 0, 4);
    assert_int_equal(parse(spcr_parse), STATUS_OK);
    assert_int_equal(port.divisor, 3);
    put_at(&table, 80, UINT32_MAX, 4); /* no clock gives that: left as it is */
    assert_int_equal(parse(spcr_parse), STATUS_OK);
    assert_int_equal(port.divisor, 0);
    spcr(0, 1, 8, 0, 0x3f8, 9);
    assert_int_equal(parse(spcr_parse), STATUS_OK);
    assert_int_equal(port.divisor, 0);
    assert_int_equal(host_log_count("acpi.refused", "no meaning"), 1);
}

static void test_what_is_no_16550(void **state)
{
    spcr(3, 0, 32, 3, 0x9000000, 7);
    assert_int_equal(parse(spcr_parse), STATUS_UNSUPPORTED);
    assert_int_equal(
        host_log_count("acpi.refused", "value=0x3 message=\"the serial port is of type Arm PL011"),
        1);
    spcr(0x14, 0, 32, 3, 0xfe030000, 7);
    assert_int_equal(parse(spcr_parse), STATUS_UNSUPPORTED);
    assert_int_equal(host_log_count("acpi.refused", "Intel LPSS"), 1);
    spcr(0x99, 0, 32, 3, 0xfe030000, 7);
    assert_int_equal(parse(spcr_parse), STATUS_UNSUPPORTED);
    assert_int_equal(
        host_log_count("acpi.refused", "value=0x99 message=\"the serial port is of type unknown"),
        1);
    spcr(0, 1, 8, 0, 0, 7);
    assert_int_equal(parse(spcr_parse), STATUS_NOT_FOUND);
    assert_string_equal(host_log_text(), "");
    spcr(0, 2, 8, 0, 0x3f8, 7);
    assert_int_equal(parse(spcr_parse), STATUS_INVALID);
    spcr(0, 1, 8, 0, 0xfff9, 7);
    assert_int_equal(parse(spcr_parse), STATUS_INVALID);
    spcr(0, 1, 8, 0, 0x100003f8, 7);
    assert_int_equal(parse(spcr_parse), STATUS_INVALID);
}

static void test_every_cut(void **state)
{
    spcr(0, 1, 8, 0, 0x2f8, 7);
    table_end(&table);
    for (uint32_t length = 0; length <= table.length; length++) {
        uint8_t *copy = exact_copy(table.bytes, length);
        assert_int_equal(spcr_parse(copy, length, &port), length < 64 ? STATUS_INVALID : STATUS_OK);
        free(copy);
    }
}

/* A device with one generic address behind its 22 bytes. */
static void device(unsigned type, unsigned subtype, uint64_t address)
{
    put(&table, 0, 1);
    put(&table, 22 + 12, 2);
    put(&table, 1, 1);
    put(&table, 0, 8);
    put(&table, type, 2);
    put(&table, subtype, 2);
    put(&table, 0, 2);
    put(&table, 22, 2);
    put(&table, 34, 2);
    gas(1, 8, 1, address);
}

static void dbg2(unsigned count)
{
    host_log_clear();
    table_begin(&table, "DBG2");
    put(&table, 44, 4);
    put(&table, count, 4);
}

static void test_debug_ports(void **state)
{
    dbg2(3);
    device(0x8003, 0x8086, 0xe000); /* a network card */
    device(0x8000, 3, 0x9000);      /* an Arm UART */
    device(0x8000, 0, 0x2f8);
    assert_int_equal(parse(dbg2_parse), STATUS_OK);
    assert_int_equal(port.address, 0x2f8);
    assert_int_equal(port.divisor, 0);
    assert_int_equal(host_log_count("acpi.refused", "network card"), 1);
    assert_int_equal(host_log_count("acpi.refused", "PL011"), 1);
    dbg2(1);
    device(0x8002, 1, 0x2f8);
    assert_int_equal(parse(dbg2_parse), STATUS_UNSUPPORTED);
    dbg2(0);
    assert_int_equal(parse(dbg2_parse), STATUS_NOT_FOUND);
    dbg2(0xffffffff);
    device(0x8001, 0, 0x2f8);
    assert_int_equal(parse(dbg2_parse), STATUS_UNSUPPORTED);
    assert_int_equal(host_log_count("acpi.refused", "cut off"), 1);
}

static void test_debug_ports_that_lie(void **state)
{
    static const struct {
        uint32_t offset, value, size;
    } lies[] = {{36, 8, 4},     {36, 0xfffffff0, 4},  {36, 60, 4},      {45, 0, 2},
                {45, 21, 2},    {45, 0xffff, 2},      {44 + 18, 23, 2}, {44 + 18, 0, 2},
                {44 + 3, 0, 1}, {44 + 18, 0xffff, 2}, {44 + 22, 7, 1}};
    for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
        dbg2(1);
        device(0x8000, 0, 0x2f8);
        put_at(&table, lies[i].offset, lies[i].value, lies[i].size);
        assert_int_equal(parse(dbg2_parse), STATUS_INVALID);
        assert_int_equal(host_log_count("acpi.refused", "table=DBG2"), 1);
    }
}

/* --- finding a table in memory of 64 KiB at 1 MiB --- */

#define BASE MIB(1)

static uint8_t memory[65536];
static unsigned mapped;

static const void *map(void *context, uint64_t physical, uint64_t size)
{
    if (physical < BASE || size > sizeof memory || physical - BASE > sizeof memory - size)
        return NULL;
    mapped++;
    return exact_copy(memory + (physical - BASE), size);
}

static void unmap(void *context, const void *bytes, uint64_t size)
{
    mapped--;
    free((void *)bytes);
}

static const struct acpi_memory access = {map, unmap, NULL};

static void place(uint32_t at)
{
    table_end(&table);
    memcpy(memory + at, table.bytes, table.length);
}

/* RSDP at 0; its root table, of 4- or 8-byte entries, at 64; SPCR at 1024. */
static void lay_out(bool extended)
{
    memset(memory, 0, sizeof memory);
    memcpy(memory, "RSD PTR ", 8);
    memory[15] = extended ? 2 : 0;
    uint32_t root = BASE + 64;
    memcpy(memory + (extended ? 24 : 16), &root, 4);
    fix_checksum(memory, 20, 8);
    spcr(0, 1, 8, 0, 0x2f8, 7);
    place(1024);
    table_begin(&table, extended ? "XSDT" : "RSDT");
    unsigned size = extended ? 8 : 4;
    put(&table, 0, size);
    put(&table, UINT32_MAX, size);
    put(&table, BASE + 4096, size); /* zeros */
    put(&table, BASE + 1024, size);
    place(64);
}

static bool is_found(uint64_t rsdp)
{
    uint32_t length = 0;
    const void *found = acpi_find(&access, rsdp, "SPCR", &length);
    if (found == NULL) {
        assert_int_equal(mapped, 0);
        return false;
    }
    assert_int_equal(length, 80);
    assert_int_equal(spcr_parse(found, length, &port), STATUS_OK);
    unmap(NULL, found, length);
    assert_int_equal(mapped, 0);
    return true;
}

static void test_found_without_a_word(void **state)
{
    host_log_clear();
    for (unsigned extended = 0; extended < 2; extended++) {
        lay_out(extended);
        assert_true(is_found(BASE));
        assert_false(is_found(0));
        assert_false(is_found(BASE + 16));
        assert_false(is_found(UINT64_MAX - 4));
        memory[1024 + 40]++; /* its checksum */
        assert_false(is_found(BASE));
        lay_out(extended);
        memory[64 + 36 + 4]++; /* the root table's */
        assert_false(is_found(BASE));
        lay_out(extended);
        memory[17]++; /* the pointer's */
        assert_false(is_found(BASE));
        lay_out(extended);
        memset(memory + 1024 + 4, 0xff, 4);
        assert_false(is_found(BASE));
    }
    assert_string_equal(host_log_text(), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_clock_and_precise_baud),
        cmocka_unit_test(test_what_is_no_16550),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_debug_ports),
        cmocka_unit_test(test_debug_ports_that_lie),
        cmocka_unit_test(test_found_without_a_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
