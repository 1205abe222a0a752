/* SPDX-License-Identifier: MIT */
// Finding ACPI tables in physical memory.
// SOURCES: hypervisor/acpi/directory.c hypervisor/acpi/fadt.c hypervisor/acpi/table.c
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hypervisor/acpi/acpi.h"
#include "tests/unit/support/tables.h"

/* --- physical memory: 1 MiB at BASE; every mapping is a copy of its own, so that the sanitizer
 * sees any read past what was asked for --- */
#define BASE UINT64_C(0x7fe00000)
#define SIZE MIB(1)
#define RSDP (BASE + 0x10)

static uint8_t physical[SIZE];
static uint32_t used;
static unsigned live_mappings;

static const void *map_bytes(void *context, uint64_t address, uint64_t size)
{
    if (address < BASE || size > SIZE || address - BASE > SIZE - size)
        return NULL;
    live_mappings++;
    return exact_copy(physical + (address - BASE), size);
}

static void unmap_bytes(void *context, const void *bytes, uint64_t size)
{
    live_mappings--;
    free((void *)bytes);
}

static const struct acpi_memory memory = {.map = map_bytes, .unmap = unmap_bytes};

static int start(void **state)
{
    memset(physical, 0, sizeof physical);
    used = 0x100;
    live_mappings = 0;
    host_log_clear();
    return 0;
}

static int end(void **state)
{
    return live_mappings == 0 ? 0 : -1;
}

/* Places the table at an odd address: nothing promises alignment. */
static uint64_t place(const struct table_builder *table)
{
    used |= 1;
    memcpy(physical + used, table->bytes, table->length);
    uint64_t address = BASE + used;
    used += table->length;
    return address;
}

static struct table_builder builder;

static uint64_t place_table(const char *signature, unsigned payload)
{
    table_begin(&builder, signature);
    put(&builder, 0x55, payload);
    table_end(&builder);
    return place(&builder);
}

static uint64_t place_root(const char *signature, unsigned width, const uint64_t *entries,
                           size_t count)
{
    table_begin(&builder, signature);
    for (size_t i = 0; i < count; i++)
        put(&builder, entries[i], width);
    table_end(&builder);
    return place(&builder);
}

static void place_rsdp(unsigned revision, uint64_t rsdt, uint64_t xsdt)
{
    builder.length = 0;
    put_text(&builder, "RSD PTR ");
    put(&builder, 0, 1);
    put_text(&builder, "TESTER");
    put(&builder, revision, 1);
    put(&builder, rsdt, 4);
    if (revision >= 2) {
        put(&builder, 36, 4);
        put(&builder, xsdt, 8);
        put(&builder, 0, 4);
    }
    fix_checksum(builder.bytes, 20, 8);
    if (revision >= 2)
        fix_checksum(builder.bytes, 36, 32);
    memcpy(physical + (RSDP - BASE), builder.bytes, builder.length);
}

static uint64_t place_fadt(uint64_t dsdt)
{
    table_begin(&builder, "FACP");
    put(&builder, 0, 116 - 36);
    put_at(&builder, 40, dsdt, 4);
    table_end(&builder);
    return place(&builder);
}

static struct acpi_directory directory;

static enum status read_directory(void)
{
    return acpi_directory_read(&memory, RSDP, &directory);
}

static void test_xsdt(void **state)
{
    uint64_t entries[3] = {place_table("MCFG", 24), place_table("DMAR", 12)};
    entries[2] = place_fadt(place_table("DSDT", 100));
    place_rsdp(2, 0xdead, place_root("XSDT", 8, entries, 3));
    assert_int_equal(read_directory(), STATUS_OK);
    assert_int_equal(directory.rsdp, RSDP);
    assert_int_equal(directory.count, 4);
    assert_string_equal(directory.tables[1].signature, "DMAR");
    assert_int_equal(directory.tables[1].length, 48);
    assert_int_equal(directory.tables[1].physical, entries[1]);
    assert_string_equal(directory.tables[3].signature, "DSDT");
    assert_int_equal(host_log_count("acpi.table", NULL), 4);
    assert_int_equal(host_log_count("acpi.table", "name=MCFG"), 1);
    assert_int_equal(host_log_count("acpi.refused", NULL), 0);

    uint32_t length = 0;
    const void *bytes = acpi_table_map(&memory, &directory, "DMAR", &length);
    assert_non_null(bytes);
    assert_int_equal(length, 48);
    assert_memory_equal(bytes, "DMAR", 4);
    unmap_bytes(NULL, bytes, length);
    assert_null(acpi_table_map(&memory, &directory, "SSDT", &length));
}

static void test_rsdt_of_an_old_rsdp(void **state)
{
    uint64_t entries[1] = {place_table("APIC", 8)};
    place_rsdp(0, place_root("RSDT", 4, entries, 1), 0);
    memset(physical + (RSDP - BASE) + 20, 0xff, 16); /* nothing of revision 2 may be looked at */
    assert_int_equal(read_directory(), STATUS_OK);
    assert_int_equal(directory.count, 1);
    assert_int_equal(host_log_count("acpi.refused", NULL), 0);
}

static void test_fall_back_to_the_rsdt(void **state)
{
    uint64_t entries[1] = {place_table("APIC", 8)};
    uint64_t rsdt = place_root("RSDT", 4, entries, 1);
    uint64_t xsdt = place_root("XSDT", 8, entries, 1);
    place_rsdp(2, rsdt, 0); /* no XSDT */
    assert_int_equal(read_directory(), STATUS_OK);
    assert_int_equal(directory.count, 1);

    place_rsdp(2, rsdt, xsdt); /* extended checksum */
    physical[RSDP - BASE + 32] ^= 1;
    assert_int_equal(read_directory(), STATUS_OK);
    assert_int_equal(directory.count, 1);
    assert_int_equal(host_log_count("acpi.refused", "table=RSDP"), 1);

    place_rsdp(2, rsdt, BASE + SIZE - 8); /* past the memory */
    assert_int_equal(read_directory(), STATUS_OK);
    place_rsdp(2, rsdt, rsdt); /* not an XSDT */
    assert_int_equal(read_directory(), STATUS_OK);
    assert_int_equal(host_log_count("acpi.refused", "table=XSDT"), 1);
    physical[xsdt - BASE + 9] ^= 1; /* the XSDT's own checksum: used all the same */
    place_rsdp(2, 0, xsdt);
    assert_int_equal(read_directory(), STATUS_OK);
    assert_int_equal(directory.count, 1);
    assert_int_equal(host_log_count("acpi.checksum", "table=XSDT"), 1);
}

static void test_no_directory(void **state)
{
    assert_int_equal(acpi_directory_read(&memory, 0, &directory), STATUS_NOT_FOUND);
    assert_int_equal(acpi_directory_read(&memory, 0x1000, &directory), STATUS_NOT_FOUND);
    assert_int_equal(acpi_directory_read(&memory, UINT64_MAX - 3, &directory), STATUS_NOT_FOUND);
    assert_int_equal(read_directory(), STATUS_INVALID); /* zeros */
    place_rsdp(2, 0, 0);
    assert_int_equal(read_directory(), STATUS_NOT_FOUND);
    place_rsdp(2, 0x1000, 0x2000);
    assert_int_equal(read_directory(), STATUS_INVALID);
    place_rsdp(0, BASE, 0);
    physical[RSDP - BASE + 8] ^= 0x80;
    assert_int_equal(read_directory(), STATUS_INVALID);
    assert_int_equal(directory.count, 0);
    assert_true(host_log_count("acpi.refused", "table=RSDP") >= 7);
}

static void test_bad_tables_are_left_out(void **state)
{
    uint64_t entries[8];
    entries[0] = place_table("GOOD", 4);
    entries[1] = place_table("SUMX", 4);
    physical[entries[1] - BASE + 37] ^= 1; /* 55 to 54: used with a warning */
    entries[2] = place_table("ZERO", 4);
    memset(physical + (entries[2] - BASE) + 4, 0, 4);
    entries[3] = place_table("HUGE", 4);
    memset(physical + (entries[3] - BASE) + 4, 0xff, 4);
    entries[4] = place_table("LONG", 4);
    physical[entries[4] - BASE + 6] = 0x7f; /* 8 MiB: possible, but not in this memory */
    entries[5] = 0;
    entries[6] = UINT64_MAX - 8;
    entries[7] = place_table("a\"b\n", 4); /* must not break the log line */
    place_rsdp(2, 0, place_root("XSDT", 8, entries, 8));
    assert_int_equal(read_directory(), STATUS_OK);
    assert_int_equal(directory.count, 3);
    assert_string_equal(directory.tables[0].signature, "GOOD");
    assert_string_equal(directory.tables[1].signature, "SUMX");
    assert_string_equal(directory.tables[2].signature, "a?b?");
    assert_int_equal(host_log_count("acpi.refused", NULL), 5);
    const uint8_t *sumx = physical + (entries[1] - BASE);
    char said[64];
    snprintf(said, sizeof said, "expected=%#x found=%#x", (uint8_t)(sumx[9] - 1), sumx[9]);
    assert_int_equal(host_log_count("acpi.checksum", "table=SUMX"), 1);
    assert_int_equal(host_log_count("acpi.checksum", said), 1);
    assert_int_equal(host_log_count("acpi.checksum", NULL), 1);
    assert_int_equal(host_log_count("acpi.refused", "table=HUGE offset=0x4 value=0xffffffff"), 1);
}

static void test_duplicates_and_cut_entries(void **state)
{
    uint64_t table = place_table("SSDT", 4);
    uint64_t other = place_table("SSDT", 8);
    uint64_t entries[4] = {table, table, other, table};
    table_begin(&builder, "XSDT");
    for (size_t i = 0; i < 4; i++)
        put(&builder, entries[i], 8);
    put(&builder, 0x1234, 3);
    table_end(&builder);
    place_rsdp(2, 0, place(&builder));
    assert_int_equal(read_directory(), STATUS_OK);
    assert_int_equal(directory.count, 1); /* the first of a name is what is looked for */
    assert_int_equal(host_log_count("acpi.skipped", "tables=3 "), 1);
    assert_int_equal(host_log_count("acpi.refused", "table=XSDT offset=0x4"), 1);
    uint32_t length;
    const void *first = acpi_table_map(&memory, &directory, "SSDT", &length);
    assert_int_equal(length, 40);
    unmap_bytes(NULL, first, length);
}

static void test_more_tables_than_fit(void **state)
{
    uint64_t entries[ACPI_MAX_TABLES + 10];
    for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
        entries[i] =
            place_table((char[]){'T', (char)('0' + i / 10), (char)('0' + i % 10), 'X', 0}, 4);
    place_rsdp(2, 0, place_root("XSDT", 8, entries, ARRAY_SIZE(entries)));
    assert_int_equal(read_directory(), STATUS_OK);
    assert_int_equal(directory.count, ACPI_MAX_TABLES);
    assert_int_equal(host_log_count("acpi.refused", "more tables"), 10);
}

/* As on machines of today: the DMAR comes late. */
static void test_seventy_ssdts_before_the_dmar(void **state)
{
    uint64_t entries[72];
    for (size_t i = 0; i < 70; i++)
        entries[i] = place_table("SSDT", 4);
    entries[70] = place_table("DMAR", 12);
    entries[71] = place_table("MCFG", 24);
    place_rsdp(2, 0, place_root("XSDT", 8, entries, ARRAY_SIZE(entries)));
    assert_int_equal(read_directory(), STATUS_OK);
    assert_int_equal(directory.count, 3);
    assert_string_equal(directory.tables[1].signature, "DMAR");
    assert_int_equal(host_log_count("acpi.skipped", "tables=69 "), 1);
    assert_int_equal(host_log_count("acpi.refused", NULL), 0);
    /* One that cannot be used does not stand in the way of the next of its name. */
    memset(physical + (entries[70] - BASE) + 4, 0, 4);
    entries[0] = entries[70];
    entries[70] = place_table("DMAR", 12);
    place_rsdp(2, 0, place_root("XSDT", 8, entries, ARRAY_SIZE(entries)));
    assert_int_equal(read_directory(), STATUS_OK);
    assert_int_equal(directory.tables[1].physical, entries[70]);
}

static void test_thousands_of_entries(void **state)
{
    table_begin(&builder, "XSDT");
    for (unsigned i = 0; i < 8000; i++)
        put(&builder, 0x1000 + i, 8); /* none can be read */
    table_end(&builder);
    place_rsdp(2, 0, place(&builder));
    assert_int_equal(read_directory(), STATUS_OK);
    assert_int_equal(directory.count, 0);
    assert_true(host_log_count("acpi.refused", NULL) <= 257);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_xsdt),
        TEST(test_rsdt_of_an_old_rsdp),
        TEST(test_fall_back_to_the_rsdt),
        TEST(test_no_directory),
        TEST(test_bad_tables_are_left_out),
        TEST(test_duplicates_and_cut_entries),
        TEST(test_more_tables_than_fit),
        TEST(test_seventy_ssdts_before_the_dmar),
        TEST(test_thousands_of_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
