/* SPDX-License-Identifier: MIT */
// MADT: processors and I/O APICs.
// SOURCES: hypervisor/acpi/madt.c hypervisor/acpi/table.c
#include <stdlib.h>

#include "hypervisor/acpi/acpi.h"
#include "hypervisor/acpi/madt.h"
#include "tests/unit/support/tables.h"

static struct table_builder table;
static struct madt madt;

static int start(void **state)
{
    host_log_clear();
    table_begin(&table, "APIC");
    put(&table, 0xfee00000, 4);
    put(&table, 1, 4); /* has two 8259s */
    return 0;
}

static void xapic(unsigned id, unsigned flags)
{
    put(&table, 0, 1);
    put(&table, 8, 1);
    put(&table, 0, 1);
    put(&table, id, 1);
    put(&table, flags, 4);
}

static void x2apic(uint32_t id, unsigned flags)
{
    put(&table, 9, 1);
    put(&table, 16, 1);
    put(&table, 0, 2);
    put(&table, id, 4);
    put(&table, flags, 4);
    put(&table, 0, 4);
}

static void ioapic(unsigned id, uint32_t address, uint32_t gsi)
{
    put(&table, 1, 1);
    put(&table, 12, 1);
    put(&table, id, 1);
    put(&table, 0, 1);
    put(&table, address, 4);
    put(&table, gsi, 4);
}

static enum status parse(void)
{
    table_end(&table);
    uint8_t *copy = exact_copy(table.bytes, table.length);
    enum status status = madt_parse(copy, table.length, &madt);
    free(copy);
    return status;
}

static void test_usual_machine(void **state)
{
    xapic(0, 1);
    xapic(2, 1);
    xapic(4, 0);    /* absent */
    xapic(6, 2);    /* could be added later: not now */
    xapic(0xff, 1); /* an empty socket */
    x2apic(0x100, 1);
    x2apic(0x101, 0);
    x2apic(UINT32_MAX, 1);
    ioapic(8, 0xfec00000, 0);
    put(&table, 0x0002000a02, 10); /* an interrupt override is passed over */
    table.bytes[table.length - 9] = 10;
    ioapic(9, 0xfec01000, 24);
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(madt.cpu_count, 3);
    assert_int_equal(madt.apic_id[0], 0);
    assert_int_equal(madt.apic_id[1], 2);
    assert_int_equal(madt.apic_id[2], 0x100);
    assert_int_equal(madt.ioapic_count, 2);
    assert_int_equal(madt.ioapic[1].id, 9);
    assert_int_equal(madt.ioapic[1].address, 0xfec01000);
    assert_int_equal(madt.ioapic[1].gsi_base, 24);
    assert_int_equal(madt.local_apic_address, 0xfee00000);
    assert_true(madt.has_8259);
    assert_string_equal(host_log_text(), "");
}

static void local_nmi(unsigned uid, unsigned flags, unsigned pin)
{
    put(&table, 4, 1);
    put(&table, 6, 1);
    put(&table, uid, 1);
    put(&table, flags, 2);
    put(&table, pin, 1);
}

static void x2apic_nmi(uint32_t uid, unsigned flags, unsigned pin)
{
    put(&table, 10, 1);
    put(&table, 12, 1);
    put(&table, flags, 2);
    put(&table, uid, 4);
    put(&table, pin, 1);
    put(&table, 0, 3);
}

static void test_nmi_pins(void **state)
{
    xapic(3, 1); /* its UID is 0 */
    x2apic(0x123, 1);
    put_at(&table, (unsigned)table.length - 4, 300, 4);
    x2apic(0x124, 1);
    put_at(&table, (unsigned)table.length - 4, 301, 4);
    local_nmi(0, 0, 0);
    x2apic_nmi(300, 0x7, 1);
    local_nmi(7, 0, 1);
    local_nmi(1, 0, 2); /* there is no LINT2 */
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(madt.nmi_count, 3);
    assert_int_equal(madt_nmi_of(&madt, 3)->pin, 0);
    assert_false(madt_nmi_of(&madt, 3)->active_low);
    assert_int_equal(madt_nmi_of(&madt, 0x123)->pin, 1);
    assert_true(madt_nmi_of(&madt, 0x123)->active_low);
    assert_null(madt_nmi_of(&madt, 0x124));
    assert_null(madt_nmi_of(&madt, 300)); /* a UID is not an APIC id */
    assert_int_equal(host_log_count("acpi.refused", "a pin that local APICs do not have"), 1);

    start(NULL);
    x2apic(0x123, 1);
    x2apic_nmi(UINT32_MAX, 0, 1);
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(madt_nmi_of(&madt, 0x123)->pin, 1);
    start(NULL);
    xapic(0, 1);
    for (unsigned i = 0; i < MADT_MAX_NMIS + 3; i++)
        local_nmi(0xff, 0, 1);
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(madt.nmi_count, MADT_MAX_NMIS);
    assert_int_equal(host_log_count("acpi.refused", "more NMI pins"), 3);
}

static void test_address_override(void **state)
{
    put(&table, 5, 1);
    put(&table, 12, 1);
    put(&table, 0, 2);
    put(&table, UINT64_C(0x123456789000), 8);
    put_at(&table, 40, 0, 4);
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(madt.local_apic_address, UINT64_C(0x123456789000));
    assert_false(madt.has_8259);
}

static void test_duplicate_ids(void **state)
{
    xapic(1, 1);
    x2apic(1, 1); /* some firmware lists a processor both ways */
    xapic(1, 1);
    xapic(3, 0);
    xapic(3, 1); /* the disabled one does not count */
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(madt.cpu_count, 2);
    assert_int_equal(host_log_count("acpi.refused", "value=0x1"), 2);
}

static void test_more_than_fit(void **state)
{
    for (unsigned i = 0; i < MADT_MAX_CPUS + 5; i++)
        x2apic(1000 + i, 1);
    for (unsigned i = 0; i < MADT_MAX_IOAPICS + 3; i++)
        ioapic(i, 0xfec00000 + i * 0x1000, i * 24);
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(madt.cpu_count, MADT_MAX_CPUS);
    assert_int_equal(madt.apic_id[MADT_MAX_CPUS - 1], 1000 + MADT_MAX_CPUS - 1);
    assert_int_equal(madt.ioapic_count, MADT_MAX_IOAPICS);
    assert_int_equal(host_log_count("acpi.refused", "more processors"), 5);
    assert_int_equal(host_log_count("acpi.refused", "more I/O APICs"), 3);
}

static void test_bad_entry_lengths(void **state)
{
    static const unsigned lengths[] = {0, 1, 200};
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        start(NULL);
        xapic(7, 1);
        xapic(8, 1);
        put_at(&table, table.length - 7, lengths[i], 1);
        xapic(9, 1);
        assert_int_equal(parse(), STATUS_OK);
        assert_int_equal(madt.cpu_count, 1);
        assert_int_equal(host_log_count("acpi.refused", "table=APIC offset=0x34"), 1);
    }
    start(NULL); /* too short for its type, but not for the walk */
    put(&table, 0x0200, 2);
    put(&table, 0x0b01, 2);
    put(&table, 0, 9);
    put(&table, 0x0f09, 2);
    put(&table, 0xffffffff, 13);
    xapic(9, 1);
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(madt.cpu_count, 1);
    assert_int_equal(madt.ioapic_count, 0);
    assert_int_equal(host_log_count("acpi.refused", "too short for its type"), 3);
    start(NULL); /* one byte left over */
    put(&table, 0, 1);
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(host_log_count("acpi.refused", NULL), 1);
}

static void test_headers(void **state)
{
    table_end(&table);
    for (uint32_t length = 0; length < 44; length++) {
        uint8_t *copy = exact_copy(table.bytes, length);
        assert_int_equal(madt_parse(copy, length, &madt), STATUS_INVALID);
        free(copy);
    }
    assert_int_equal(host_log_count("acpi.refused", "table=APIC"), 44);
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(madt.cpu_count, 0);
    table.bytes[3] = 'X';
    assert_int_equal(madt_parse(table.bytes, table.length, &madt), STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_usual_machine, start),
        cmocka_unit_test_setup(test_nmi_pins, start),
        cmocka_unit_test_setup(test_address_override, start),
        cmocka_unit_test_setup(test_duplicate_ids, start),
        cmocka_unit_test_setup(test_more_than_fit, start),
        cmocka_unit_test_setup(test_bad_entry_lengths, start),
        cmocka_unit_test_setup(test_headers, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
