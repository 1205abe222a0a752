/* SPDX-License-Identifier: MIT */
// AMD-Vi: what the IVRS table says, and units that firmware left on.
// SOURCES: hypervisor/acpi/ivrs.c hypervisor/acpi/table.c hypervisor/setup/amd_iommu.c
// SOURCES: hypervisor/base/format.c
#include "hypervisor/base/clock.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/firmware_map.h"
#include "hypervisor/setup/amd_iommu.h"
#include "tests/unit/support/tables.h"

#define FIRST  UINT64_C(0xfed80000)
#define SECOND UINT64_C(0xf0200000)

static struct table_builder table;
static struct ivrs ivrs;

static void block(unsigned type, unsigned length, uint16_t rid, uint64_t base, uint16_t segment)
{
    uint32_t start = table.length;
    put(&table, type, 1);
    put(&table, 0, 1);
    put(&table, length, 2);
    put(&table, rid, 2);
    put(&table, 0x40, 2);
    put(&table, base, 8);
    put(&table, segment, 2);
    while (table.length < start + length)
        put(&table, 0, 1);
}

static void begin(void)
{
    host_log_clear();
    table_begin(&table, "IVRS");
    put(&table, 0, 12);
}

static enum status parse(void)
{
    table_end(&table);
    uint8_t *bytes = exact_copy(table.bytes, table.length);
    enum status status = ivrs_parse(bytes, table.length, &ivrs);
    free(bytes);
    return status;
}

static void a_unit_counts_once(void **state)
{
    begin();
    block(0x10, 56, 0x0002, FIRST, 0);
    block(0x11, 72, 0x0002, FIRST, 0);
    block(0x40, 96, 0x0002, FIRST, 0);
    block(0x20, 32, 0x0008, 0x1000, 0); /* memory for devices, no unit */
    block(0x11, 40, 0x2002, SECOND, 1);
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(ivrs.unit_count, 2);
    assert_true(ivrs.unit[0].base == FIRST && ivrs.unit[0].rid == 2);
    assert_true(ivrs.unit[1].base == SECOND && ivrs.unit[1].rid == 0x2002);
    assert_int_equal(ivrs.unit[1].segment, 1);
    assert_int_equal(host_log_count("acpi.refused", NULL), 0);
}

static void tables_that_lie(void **state)
{
    begin();
    block(0x10, 24, 2, FIRST, 0);
    block(0x10, 24, 2, 0, 0);
    block(0x10, 24, 2, SECOND + 8, 0);
    put(&table, 0x10, 1);
    put(&table, 0, 1);
    put(&table, 200, 2); /* past the end */
    put(&table, 0, 60);
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(ivrs.unit_count, 1);
    assert_int_equal(host_log_count("acpi.refused", "impossible register base"), 2);
    assert_int_equal(host_log_count("acpi.refused", "impossible block length"), 1);
    begin();
    put(&table, 0x10, 1); /* a length of zero */
    put(&table, 0, 63);
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(ivrs.unit_count, 0);
    begin();
    for (unsigned i = 0; i < IVRS_MAX_UNITS + 3; i++)
        block(0x10, 24, 2, FIRST + i * UINT64_C(0x10000), 0);
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(ivrs.unit_count, IVRS_MAX_UNITS);
    begin();
    table.length = 40; /* not even the head */
    assert_int_equal(parse(), STATUS_INVALID);
}

/* --- a unit --- */

static uint64_t control, status;
static bool stays_on, logs_go_on, gone;
static unsigned mappings;
static bool off_before_logs;

uintptr_t map_device(uint64_t physical, uint64_t size)
{
    assert_true(physical == FIRST && size >= 0x2028);
    mappings++;
    return FIRST;
}

void unmap(uintptr_t address, uint64_t size)
{
    mappings--;
}

uint64_t mmio_read64(uintptr_t address)
{
    if (gone)
        return UINT64_MAX;
    assert_true(address == FIRST + 0x18 || address == FIRST + 0x2020);
    return address == FIRST + 0x18 ? control : status;
}

void mmio_write64(uintptr_t address, uint64_t value)
{
    assert_true(address == FIRST + 0x18);
    off_before_logs |= (control & 1) != 0 && (value & 1) == 0 && (status & 0x98) != 0;
    control = stays_on ? value | 1 : value;
    if (!logs_go_on && (value & 0x1004) == 0)
        status &= ~UINT64_C(0x98);
}

static bool quiet(uint64_t left_on, uint64_t running)
{
    host_log_clear();
    control = left_on;
    status = running;
    off_before_logs = false;
    const struct ivrs one = {.unit_count = 1, .unit = {{.base = FIRST, .rid = 2}}};
    bool result = amd_iommu_quiet(&one);
    assert_int_equal(mappings, 0);
    return result;
}

static void a_unit_that_is_off_is_not_touched(void **state)
{
    assert_true(quiet(0x2, 0));
    assert_int_equal(control, 0x2);
    assert_int_equal(host_log_count("iommu.amd", "base=0xfed80000 rid=00:00.2 state=off"), 1);
    gone = true;
    assert_true(quiet(0, 0));
    assert_int_equal(host_log_count("iommu.amd", "state=absent"), 1);
    gone = false;
}

/* Logs and commands first, translation last, everything else as it was. */
static void what_firmware_left_on_goes_off(void **state)
{
    assert_true(quiet(UINT64_C(0x000400003000f01d) | 0x400, 0x98));
    assert_false(off_before_logs);
    assert_true(control == (UINT64_C(0x0004000000000400)));
    assert_int_equal(host_log_count("iommu.amd", "state=switched-off"), 1);
}

static void a_unit_that_does_not_obey(void **state)
{
    stays_on = true;
    uint64_t before = clock_microseconds();
    assert_false(quiet(0x1005, 0x18));
    assert_in_range(clock_microseconds() - before, 100000, 3000000);
    assert_int_equal(host_log_count("iommu.amd", "state=on"), 1);
    stays_on = false;
    logs_go_on = true;
    assert_false(quiet(0x1005, 0x18));
    assert_int_equal(control & 1, 0);
    logs_go_on = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_unit_counts_once),
        cmocka_unit_test(tables_that_lie),
        cmocka_unit_test(a_unit_that_is_off_is_not_touched),
        cmocka_unit_test(what_firmware_left_on_goes_off),
        cmocka_unit_test(a_unit_that_does_not_obey),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
