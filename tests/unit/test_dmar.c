/* SPDX-License-Identifier: MIT */
// The DMAR parser over built tables; damaged and real ones are in test_dmar_corpus.c.
// SOURCES: hypervisor/acpi/dmar.c hypervisor/acpi/table.c
#include "tests/unit/support/dmar_builder.h"

static enum status parse(struct dmar *dmar)
{
    table_end(&table);
    free(copy);
    copy = exact_copy(table.bytes, table.length);
    return dmar_parse(copy, table.length, dmar);
}

static unsigned count_structures(const struct dmar *dmar)
{
    struct dmar_structure structure;
    unsigned count = 0;
    for (uint32_t cursor = 0; dmar_next(dmar, &cursor, &structure);)
        count++;
    return count;
}

static unsigned count_scopes(const struct dmar *dmar, const struct dmar_structure *structure)
{
    struct dmar_scope one;
    unsigned count = 0;
    for (uint32_t cursor = 0; dmar_scope_next(dmar, structure, &cursor, &one);)
        count++;
    return count;
}

static void test_every_structure_type(void **state)
{
    uint32_t begin = drhd(0, 7, 0xfed90000);
    put_at(&table, begin + 5, 2, 1); /* 16 KiB of registers */
    scope(SCOPE_ENDPOINT, 0, 0, "0200");
    scope(SCOPE_BRIDGE, 0, 0x80, "1c040001");
    structure_end(begin);

    rmrr(3, 0x7b800000, 0x7fffffff);

    begin = structure_begin(DMAR_ATSR);
    put(&table, 1, 1);
    put(&table, 0, 1);
    put(&table, 4, 2);
    structure_end(begin);

    rhsa(0xfbffc000, 5);
    andd(9, "\\_SB.I2C0");

    for (unsigned type = DMAR_SATC; type <= DMAR_SIDP; type++) {
        begin = structure_begin(type);
        put(&table, type == DMAR_SATC ? 1 : 0, 1);
        put(&table, 0, 1);
        put(&table, 6, 2);
        scope(SCOPE_ENDPOINT, 0, 0, "0500");
        put_at(&table, table.length - 6, 0x3, 1); /* scope flags */
        structure_end(begin);
    }
    begin = structure_begin(0xbeef);
    put(&table, 0x11223344, 7);
    structure_end(begin);

    struct dmar dmar;
    assert_int_equal(parse(&dmar), STATUS_OK);
    assert_int_equal(dmar.length, table.length);
    assert_int_equal(dmar.host_address_width, 39);
    assert_int_equal(dmar.flags, DMAR_FLAG_INTR_REMAP);

    struct dmar_structure one;
    struct dmar_scope device;
    uint32_t cursor = 0, scopes = 0;
    assert_true(dmar_next(&dmar, &cursor, &one));
    assert_int_equal(one.type, DMAR_DRHD);
    assert_int_equal(one.offset, 48);
    assert_int_equal(one.segment, 7);
    assert_int_equal(one.base, 0xfed90000);
    assert_int_equal(one.size, KIB(16));
    assert_true(dmar_scope_next(&dmar, &one, &scopes, &device));
    assert_int_equal(device.type, SCOPE_ENDPOINT);
    assert_int_equal(device.path_length, 1);
    assert_int_equal(device.path[0], 2);
    assert_int_equal(device.offset, 64);
    assert_true(dmar_scope_next(&dmar, &one, &scopes, &device));
    assert_int_equal(device.type, SCOPE_BRIDGE);
    assert_int_equal(device.start_bus, 0x80);
    assert_int_equal(device.path_length, 2);
    assert_int_equal(device.path[1], 4);
    assert_false(dmar_scope_next(&dmar, &one, &scopes, &device));

    assert_true(dmar_next(&dmar, &cursor, &one));
    assert_int_equal(one.type, DMAR_RMRR);
    assert_int_equal(one.segment, 3);
    assert_int_equal(one.base, 0x7b800000);
    assert_int_equal(one.limit, 0x7fffffff);
    assert_int_equal(count_scopes(&dmar, &one), 1);

    assert_true(dmar_next(&dmar, &cursor, &one));
    assert_int_equal(one.type, DMAR_ATSR);
    assert_int_equal(one.flags, 1);
    assert_int_equal(one.segment, 4);
    assert_int_equal(count_scopes(&dmar, &one), 0);

    assert_true(dmar_next(&dmar, &cursor, &one));
    assert_int_equal(one.type, DMAR_RHSA);
    assert_int_equal(one.base, 0xfbffc000);
    assert_int_equal(one.proximity, 5);
    assert_int_equal(count_scopes(&dmar, &one), 0);

    assert_true(dmar_next(&dmar, &cursor, &one));
    assert_int_equal(one.type, DMAR_ANDD);
    assert_int_equal(one.device_number, 9);
    assert_int_equal(one.name_size, 9);
    assert_memory_equal(one.name, "\\_SB.I2C0", 9);

    for (unsigned type = DMAR_SATC; type <= DMAR_SIDP; type++) {
        assert_true(dmar_next(&dmar, &cursor, &one));
        assert_int_equal(one.type, type);
        assert_int_equal(one.segment, 6);
        scopes = 0;
        assert_true(dmar_scope_next(&dmar, &one, &scopes, &device));
        assert_int_equal(device.flags, 3);
    }
    assert_true(dmar_next(&dmar, &cursor, &one));
    assert_int_equal(one.type, 0xbeef);
    assert_int_equal(one.length, 11);
    assert_int_equal(count_scopes(&dmar, &one), 0);
    assert_false(dmar_next(&dmar, &cursor, &one));
    assert_int_equal(cursor, table.length);
    assert_string_equal(host_log_text(), "");
}

static void test_no_structures(void **state)
{
    struct dmar dmar;
    assert_int_equal(parse(&dmar), STATUS_OK);
    assert_int_equal(count_structures(&dmar), 0);
}

/* --- headers that cannot be trusted --- */
static void test_bad_headers(void **state)
{
    struct dmar dmar;
    table_end(&table);
    for (uint32_t length = 0; length < 48; length++) {
        uint8_t *cut = exact_copy(table.bytes, length);
        assert_int_equal(dmar_parse(cut, length, &dmar), STATUS_INVALID);
        assert_int_equal(count_structures(&dmar), 0);
        free(cut);
    }
    put_at(&table, 4, 0, 4); /* its own length says 0 */
    assert_int_equal(dmar_parse(table.bytes, table.length, &dmar), STATUS_INVALID);
    table.bytes[0] = 'X';
    assert_int_equal(dmar_parse(table.bytes, table.length, &dmar), STATUS_INVALID);
    memset(table.bytes, 0xff, 512);
    assert_int_equal(dmar_parse(table.bytes, 512, &dmar), STATUS_INVALID);
    assert_int_equal(host_log_count("acpi.refused", "table=DMAR"), 48 + 3);
}

static void test_length_field_beyond_the_memory(void **state)
{
    drhd(1, 0, 0xfed90000);
    table_end(&table);
    put_at(&table, 4, UINT32_MAX, 4);
    copy = exact_copy(table.bytes, table.length);
    struct dmar dmar;
    assert_int_equal(dmar_parse(copy, table.length, &dmar), STATUS_OK);
    assert_int_equal(count_structures(&dmar), 1);
    assert_int_equal(host_log_count("acpi.refused", "offset=0x4 value=0xffffffff"), 1);
}

static void test_impossible_address_width(void **state)
{
    put_at(&table, 36, 255, 1);
    struct dmar dmar;
    assert_int_equal(parse(&dmar), STATUS_OK);
    assert_int_equal(dmar.host_address_width, 52);
    assert_int_equal(host_log_count("acpi.refused", "offset=0x24 value=0xff"), 1);
}

/* --- structures with lengths that cannot be: what came before is used --- */
static void test_bad_structure_lengths(void **state)
{
    static const struct {
        unsigned type, length;
    } cases[] = {
        {DMAR_DRHD, 0},  {DMAR_DRHD, 1},  {DMAR_DRHD, 15}, {DMAR_RMRR, 23},    {DMAR_ATSR, 7},
        {DMAR_RHSA, 19}, {DMAR_ANDD, 7},  {DMAR_SATC, 7},  {DMAR_SIDP, 7},     {0x1234, 0},
        {0x1234, 3},     {DMAR_DRHD, 33}, {0x1234, 33},    {DMAR_DRHD, 65535},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        start(NULL);
        drhd(0, 0, 0xfed90000);
        put(&table, cases[i].type, 2);
        put(&table, cases[i].length, 2);
        put(&table, 0, 28); /* 32 bytes follow the first structure */
        struct dmar dmar;
        assert_int_equal(parse(&dmar), STATUS_OK);
        assert_int_equal(dmar.length, 64);
        assert_int_equal(count_structures(&dmar), 1);
        assert_int_equal(host_log_count("acpi.refused", "table=DMAR offset=0x42"), 1);
    }
}

static void test_trailing_bytes(void **state)
{
    for (unsigned extra = 1; extra < 4; extra++) {
        start(NULL);
        drhd(0, 0, 0xfed90000);
        put(&table, 0, extra);
        struct dmar dmar;
        assert_int_equal(parse(&dmar), STATUS_OK);
        assert_int_equal(dmar.length, 64);
        assert_int_equal(count_structures(&dmar), 1);
        assert_int_equal(host_log_count("acpi.refused", NULL), 1);
    }
}

static void test_bad_scope_lengths(void **state)
{
    static const unsigned lengths[] = {0, 1, 5, 6, 7, 9, 11, 255};
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        start(NULL);
        drhd(1, 0, 0xfed90000);
        uint32_t begin = drhd(0, 0, 0xfed91000);
        scope(SCOPE_ENDPOINT, 0, 0, "0200");
        scope(SCOPE_ENDPOINT, 0, 0, "0300");
        put_at(&table, table.length - 7, lengths[i], 1);
        structure_end(begin);
        struct dmar dmar;
        assert_int_equal(parse(&dmar), STATUS_OK);
        assert_int_equal(count_structures(&dmar), 1); /* only the first unit can be trusted */
        assert_int_equal(dmar.length, 64);
        assert_int_equal(host_log_count("acpi.refused", "offset=0x58"), 1);
    }
}

static void test_scope_past_its_structure(void **state)
{
    uint32_t begin = drhd(0, 0, 0xfed90000);
    scope(SCOPE_ENDPOINT, 0, 0, "0200");
    structure_end(begin);
    put_at(&table, table.length - 7, 24, 1); /* would reach into the next structure */
    drhd(1, 0, 0xfed91000);
    struct dmar dmar;
    assert_int_equal(parse(&dmar), STATUS_OK);
    assert_int_equal(count_structures(&dmar), 0);
}

static void test_unknown_scope_types_are_kept(void **state)
{
    uint32_t begin = drhd(0, 0, 0xfed90000);
    scope(0x77, 1, 2, "0200");
    scope(SCOPE_IOAPIC, 8, 0xf0, "1f00");
    structure_end(begin);
    struct dmar dmar;
    struct dmar_structure one;
    uint32_t cursor = 0;
    assert_int_equal(parse(&dmar), STATUS_OK);
    assert_true(dmar_next(&dmar, &cursor, &one));
    assert_int_equal(count_scopes(&dmar, &one), 2);
    assert_string_equal(dmar_scope_type_name(0x77), "unknown");
    assert_string_equal(dmar_scope_type_name(SCOPE_IOAPIC), "ioapic");
    assert_string_equal(dmar_type_name(DMAR_SIDP), "SIDP");
    assert_string_equal(dmar_type_name(7), "unknown");
}

static void test_longest_path_and_largest_structure(void **state)
{
    char path[4 * 124 + 1];
    for (size_t i = 0; i < 124; i++)
        memcpy(path + 4 * i, "0102", 4);
    path[4 * 124] = '\0';
    uint32_t begin = drhd(0, 0, 0xfed90000);
    unsigned expected = 0;
    while (table.length - begin + 254 <= 0xffff && table.length + 254 < sizeof table.bytes) {
        scope(SCOPE_ENDPOINT, 0, 0, path);
        expected++;
    }
    structure_end(begin);
    struct dmar dmar;
    struct dmar_structure one;
    uint32_t cursor = 0;
    assert_int_equal(parse(&dmar), STATUS_OK);
    assert_true(dmar_next(&dmar, &cursor, &one));
    assert_int_equal(count_scopes(&dmar, &one), expected);
    assert_true(expected > 250);
}

static void test_thousands_of_structures(void **state)
{
    for (unsigned i = 0; i < 4000; i++)
        drhd(0, 0, 0xfed90000 + i * PAGE_SIZE);
    struct dmar dmar;
    assert_int_equal(parse(&dmar), STATUS_OK);
    assert_int_equal(count_structures(&dmar), 4000);
}

/* --- paths --- */
static int bridges(uint16_t segment, uint16_t rid, void *context)
{
    assert_int_equal(segment, 2);
    ++*(unsigned *)context;
    if (rid == 0x00e4) /* 00:1c.4 */
        return 5;
    return rid == 0x0508 ? 300 : -1;
}

static void test_scope_paths(void **state)
{
    static const struct {
        const char *path;
        enum status status;
        unsigned rid, lookups;
    } cases[] = {
        {"0203", STATUS_OK, 0x0013, 0},           {"1c040007", STATUS_OK, 0x0507, 1},
        {"1c0400000000", STATUS_NOT_FOUND, 0, 2}, /* 05:00.0 is not a bridge */
        {"1c0401000000", STATUS_NOT_FOUND, 0, 2}, /* a bus that cannot be */
        {"1d000000", STATUS_NOT_FOUND, 0, 1},     {"2000", STATUS_INVALID, 0, 0},
        {"0008", STATUS_INVALID, 0, 0},
    };
    uint32_t begin = drhd(0, 2, 0xfed90000);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        scope(SCOPE_ENDPOINT, 0, 0, cases[i].path);
    structure_end(begin);
    struct dmar dmar;
    struct dmar_structure one;
    struct dmar_scope device;
    uint32_t cursor = 0, scopes = 0;
    assert_int_equal(parse(&dmar), STATUS_OK);
    assert_true(dmar_next(&dmar, &cursor, &one));
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        unsigned lookups = 0;
        uint16_t rid = 0;
        assert_true(dmar_scope_next(&dmar, &one, &scopes, &device));
        assert_int_equal(dmar_scope_rid(&device, one.segment, bridges, &lookups, &rid),
                         cases[i].status);
        assert_int_equal(lookups, cases[i].lookups);
        if (cases[i].status == STATUS_OK)
            assert_int_equal(rid, cases[i].rid);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_every_structure_type),
        TEST(test_no_structures),
        TEST(test_bad_headers),
        TEST(test_length_field_beyond_the_memory),
        TEST(test_impossible_address_width),
        TEST(test_bad_structure_lengths),
        TEST(test_trailing_bytes),
        TEST(test_bad_scope_lengths),
        TEST(test_scope_past_its_structure),
        TEST(test_unknown_scope_types_are_kept),
        TEST(test_longest_path_and_largest_structure),
        TEST(test_thousands_of_structures),
        TEST(test_scope_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
