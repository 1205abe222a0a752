/* SPDX-License-Identifier: MIT */
// SOURCES: boot/preflight/tables.c boot/preflight/units.c boot/preflight/smbios.c
// SOURCES: boot/preflight/report.c hypervisor/acpi/directory.c hypervisor/acpi/table.c
// SOURCES: hypervisor/acpi/fadt.c hypervisor/acpi/madt.c hypervisor/acpi/mcfg.c
// SOURCES: hypervisor/acpi/srat.c hypervisor/acpi/dmar.c hypervisor/pci/functions.c
// SOURCES: hypervisor/base/format.c hypervisor/base/status.c tests/unit/model/pci_model.c
// SOURCES: tests/unit/model/pci_routing.c
/* Firmware's tables, the units that they tell of, and who made the machine: good and bad. */
#include <stdlib.h>
#include <string.h>

#include "boot/preflight/preflight.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/pci/function.h"
#include "tests/unit/support/tables.h"

#define RSDP   UINT64_C(0x1000)
#define XSDT   UINT64_C(0x2000)
#define FIRST  UINT64_C(0x10000) /* table n at FIRST * (n + 1) */
#define TABLES 8
#define UNIT   UINT64_C(0xfed90000)

static struct table_builder tables[TABLES];
static size_t count;
static struct table_builder xsdt;
static uint8_t rsdp[36];
static struct preflight facts;
static uint64_t capability, extended;
static uint32_t version;

static const void *map(void *context, uint64_t physical, uint64_t size)
{
    if (physical >= RSDP && physical - RSDP + size <= sizeof rsdp)
        return rsdp + (physical - RSDP);
    if (physical >= XSDT && physical - XSDT + size <= xsdt.length)
        return xsdt.bytes + (physical - XSDT);
    size_t index = (size_t)(physical / FIRST) - 1;
    uint64_t offset = physical % FIRST;
    return physical >= FIRST && index < count && offset + size <= tables[index].length
               ? tables[index].bytes + offset
               : NULL;
}

static const struct acpi_memory memory = {map, NULL, NULL};

uint32_t mmio_read32(uintptr_t address)
{
    return address == UNIT ? version : 0;
}

uint64_t mmio_read64(uintptr_t address)
{
    return address == UNIT + 8 ? capability : extended;
}

static bool readable(uint64_t physical, uint64_t size)
{
    return physical == UNIT && size == PAGE_SIZE;
}

static int fresh(void **state)
{
    host_log_clear();
    count = 0;
    memset(&facts, 0, sizeof facts);
    version = 0x10;
    capability = UINT64_C(0xd2008c222f0606);
    extended = UINT64_C(0xf00fda);
    pci_functions.count = 0;
    return 0;
}

static struct table_builder *table(const char *signature)
{
    table_begin(&tables[count], signature);
    return &tables[count++];
}

static void read_tables(void)
{
    for (size_t i = 0; i < count; i++)
        table_end(&tables[i]);
    table_begin(&xsdt, "XSDT");
    for (size_t i = 0; i < count; i++)
        put(&xsdt, FIRST * (i + 1), 8);
    table_end(&xsdt);
    memset(rsdp, 0, sizeof rsdp);
    memcpy(rsdp, "RSD PTR ", 8);
    rsdp[15] = 2;
    rsdp[20] = 36;
    rsdp[24] = (uint8_t)XSDT, rsdp[25] = (uint8_t)(XSDT >> 8);
    fix_checksum(rsdp, 20, 8);
    fix_checksum(rsdp, 36, 32);
    preflight_tables(&memory, RSDP, &facts);
}

static void dmar(uint8_t flags)
{
    struct table_builder *built = table("DMAR");
    put(built, 38, 1);
    put(built, flags, 1);
    put(built, 0, 10);
    put(built, 0, 2); /* DRHD */
    put(built, 16, 2);
    put(built, 1, 1);
    put(built, 0, 3);
    put(built, UNIT, 8);
    put(built, 1, 2); /* RMRR for 00:02.0 */
    put(built, 32, 2);
    put(built, 0, 4);
    put(built, 0x7b800000, 8);
    put(built, 0x7fffffff, 8);
    put(built, 1, 1);
    put(built, 8, 1);
    put(built, 0, 4);
    put(built, 2, 1);
    put(built, 0, 1);
}

static void test_a_unit(void **state)
{
    dmar(1);
    read_tables();
    preflight_units(readable, &facts);
    assert_true(facts.has_dmar && facts.remapping);
    assert_int_equal(facts.units, 1);
    assert_int_equal(facts.usable_units, 1);
    assert_int_equal(host_log_count("iommu.dmar", "width=39 remapping=yes x2apic_opt_out=no"), 1);
    assert_int_equal(host_log_count("iommu.unit", "base=0xfed90000 version=1.0 "
                                                  "cap=0xd2008c222f0606 ecap=0xf00fda"),
                     1);
    assert_int_equal(host_log_count("iommu.unit", "levels3=yes levels4=yes levels5=no bits=48"), 1);
    assert_int_equal(host_log_count("iommu.reserved", "base=0x7b800000 limit=0x7fffffff "
                                                      "rid=00:02.0"),
                     1);
    assert_int_equal(facts.reserved_count, 1);
    assert_int_equal(facts.reserved[0].rid, RID(0, 0, 2, 0));
    assert_int_equal(host_log_count("table.saved", "name=DMAR length=96 digest=0x"), 1);
    assert_int_equal(host_log_count("table.absent", NULL), 11);
}

static void test_units_that_lack_something(void **state)
{
    dmar(3);
    read_tables();
    assert_int_equal(host_log_count("iommu.dmar", "firmware asks systems not to use x2APIC"), 1);
    extended &= ~BIT(3);
    preflight_units(readable, &facts);
    assert_false(facts.remapping);
    assert_int_equal(host_log_count("iommu.refused", "cannot remap interrupts"), 1);
    fresh(NULL);
    dmar(0);
    read_tables();
    capability &= ~BITS(12, 8);
    preflight_units(readable, &facts);
    assert_int_equal(facts.usable_units, 0);
    assert_false(facts.remapping);
    assert_int_equal(host_log_count("iommu.refused", "no second-level translation"), 1);
    assert_int_equal(host_log_count("iommu.refused", "says that interrupts are not remapped"), 1);
    fresh(NULL);
    dmar(1);
    version = 0xffffffff;
    read_tables();
    preflight_units(readable, &facts);
    assert_int_equal(facts.usable_units, 0);
    assert_int_equal(host_log_count("iommu.refused", "no VT-d unit answers"), 1);
}

static bool nothing(uint64_t physical, uint64_t size)
{
    return false;
}

/* Registers where nothing is mapped are not touched. */
static void test_registers_that_cannot_be_read(void **state)
{
    dmar(1);
    read_tables();
    version = 0;
    preflight_units(nothing, &facts);
    assert_int_equal(host_log_count("iommu.unit", NULL), 0);
    assert_int_equal(host_log_count("iommu.refused", "cannot be read now"), 1);
}

static void ivhd(struct table_builder *built, uint8_t type, uint16_t size, uint64_t base)
{
    put(built, type, 1);
    put(built, 0, 1);
    put(built, size, 2);
    put(built, 0x10, 2);
    put(built, 0x40, 2);
    put(built, base, 8);
    put(built, 0, size - 16);
}

static void test_amd(void **state)
{
    struct table_builder *built = table("IVRS");
    put(built, 0, 12);
    ivhd(built, 0x10, 32, 0xfeb80000);
    ivhd(built, 0x11, 48, 0xfeb80000); /* the same again, for newer software */
    ivhd(built, 0x10, 24, 0xfec00000);
    ivhd(built, 0x22, 32, 0xfed00000); /* memory, no unit */
    ivhd(built, 0x10, 32, 0xfee00000);
    put_at(built, built->length - 30, 0, 2);
    read_tables();
    assert_int_equal(host_log_count("iommu.amd", NULL), 2);
    assert_int_equal(host_log_count("acpi.refused", "table=IVRS offset="), 1);
    assert_int_equal(host_log_count("iommu.refused", "units=2 message=\"the IOMMU of this machine "
                                                     "is AMD-Vi"),
                     1);
    assert_int_equal(host_log_count("iommu.refused", NULL), 1);
    assert_true(facts.has_ivrs && !facts.has_dmar);
}

/* The last block is one byte longer than the table. */
static void test_a_block_past_the_end(void **state)
{
    struct table_builder *built = table("IVRS");
    put(built, 0, 12);
    ivhd(built, 0x10, 32, 0xfeb80000);
    put_at(built, built->length - 30, 33, 2);
    read_tables();
    assert_int_equal(host_log_count("iommu.amd", NULL), 0);
    assert_int_equal(host_log_count("acpi.refused", "table=IVRS offset=0x30 value=0x21"), 1);
}

static void test_watchdog_and_console(void **state)
{
    struct table_builder *built = table("WDAT");
    put(built, 32, 4);
    put(built, 0, 8);
    put(built, 600, 4);
    put(built, 0x3ff, 4);
    put(built, 2, 4);
    put(built, 0x81, 4);
    put(built, 3, 4);
    built = table("SPCR");
    put(built, 0, 4);
    put(built, 1, 1); /* I/O */
    put(built, 8, 3);
    put(built, 0x2f8, 8);
    put(built, 0, 6);
    put(built, 7, 1);
    put(built, 0, 21);
    read_tables();
    assert_int_equal(host_log_count("watchdog.wdat",
                                    "running=yes period_ms=600 most=1023 entries=3 "
                                    "message="),
                     1);
    assert_int_equal(host_log_count("console.spcr", "interface=0x0 space=io address=0x2f8 "
                                                    "baud=115200"),
                     1);
    assert_int_equal(host_log_count("iommu.refused", "enable VT-d"), 1);
}

static void test_no_tables_at_all(void **state)
{
    preflight_tables(&memory, 0, &facts);
    preflight_units(readable, &facts);
    assert_int_equal(host_log_count("acpi.refused", "table=RSDP"), 2);
    assert_int_equal(host_log_count("watchdog.none", NULL), 1);
    assert_int_equal(facts.units, 0);
}

/* --- SMBIOS --- */

static const uint8_t smbios[] = "\x00\x0a\x00\x00\x01\x02\x00\x00\x03\x00"
                                "Maker\0"
                                "1.2\0"
                                "01/02/2026\0"
                                "\0"
                                "\x01\x1b\x01\x00\x01\x02\x00\x04SECRETSECRETSECRET\x00"
                                "Acme\0"
                                "Box \"9\"\0"
                                "\0"
                                "\x02\x08\x02\x00\x01\x05\x00\x00"
                                "Board\0"
                                "\0"
                                "\x7f\x04\x03\x00\0";

static void test_who_made_it(void **state)
{
    preflight_machine(smbios, sizeof smbios);
    assert_int_equal(
        host_log_count("machine.firmware", "vendor=\"Maker\" version=\"1.2\" date=\"01/02/2026\""),
        1);
    assert_int_equal(
        host_log_count("machine.system", "vendor=\"Acme\" product=\"Box \\\"9\\\"\" version=\"\""),
        1);
    /* A string that is not there. */
    assert_int_equal(host_log_count("machine.board", "vendor=\"Board\" product=\"\""), 1);
    assert_null(strstr(host_log_text(), "SECRET"));
    for (size_t cut = 0; cut < sizeof smbios; cut++) {
        uint8_t *copy = exact_copy(smbios, cut);
        preflight_machine(copy, cut);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_unit, fresh),
        cmocka_unit_test_setup(test_units_that_lack_something, fresh),
        cmocka_unit_test_setup(test_registers_that_cannot_be_read, fresh),
        cmocka_unit_test_setup(test_amd, fresh),
        cmocka_unit_test_setup(test_a_block_past_the_end, fresh),
        cmocka_unit_test_setup(test_watchdog_and_console, fresh),
        cmocka_unit_test_setup(test_no_tables_at_all, fresh),
        cmocka_unit_test_setup(test_who_made_it, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
