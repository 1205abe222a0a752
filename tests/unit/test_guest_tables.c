/* SPDX-License-Identifier: MIT */
// SOURCES: guest/start/tables.c guest/start/tables_acpi.c guest/start/tables_linux.c
// SOURCES: guest/start/tables_multiboot.c
/* The tables a guest starts from: checksums, addresses, and what iasl makes of the DSDT. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hypervisor/acpi/acpi.h"
#include "hypervisor/abi/machine.h"
#include "guest/start/tables.h"
#include "tests/unit/support/host.h"

#define AREA_SIZE (GUEST_TABLES_END - GUEST_TABLES_BASE)

static uint8_t area[AREA_SIZE];

static const uint32_t apic_ids[] = {1, 2, 300};

static struct guest_tables_input input(void)
{
    return (struct guest_tables_input){.memory_size = MIB(32),
                                       .command_line = "peer=10.0.0.2 count=5",
                                       .cpu_count = ARRAY_SIZE(apic_ids),
                                       .apic_ids = apic_ids,
                                       .ecam_base = GUEST_ECAM_BASE,
                                       .bar_base = GIB(4),
                                       .bar_end = BIT(40)};
}

static void *at(uint64_t address)
{
    assert_in_range(address, GUEST_TABLES_BASE, GUEST_TABLES_END - 1);
    return area + (address - GUEST_TABLES_BASE);
}

static uint64_t load(const void *bytes, size_t size)
{
    uint64_t value = 0;
    memcpy(&value, bytes, size);
    return value;
}

static uint8_t sum(const void *bytes, size_t size)
{
    uint8_t total = 0;
    for (size_t i = 0; i < size; i++)
        total = (uint8_t)(total + ((const uint8_t *)bytes)[i]);
    return total;
}

static uint8_t *start_info(void)
{
    struct guest_tables_output output;
    struct guest_tables_input all = input();
    memset(area, 0, sizeof area);
    assert_int_equal(guest_tables_write(area, sizeof area, &all, &output), STATUS_OK);
    return at(output.start_info);
}

static uint8_t *table(const char *signature)
{
    uint8_t *rsdp = at(load(start_info() + 0x20, 8));
    uint8_t *xsdt = at(load(rsdp + 24, 8));
    for (uint32_t offset = 36; offset < load(xsdt + 4, 4); offset += 8) {
        uint8_t *found = at(load(xsdt + offset, 8));
        if (memcmp(found, signature, 4) == 0)
            return found;
    }
    return NULL;
}

static void start_info_is_pvh(void **state)
{
    uint8_t *info = start_info();
    assert_int_equal(load(info, 4), 0x336ec578);
    assert_int_equal(load(info + 4, 4), 1);
    assert_string_equal(at(load(info + 0x18, 8)), "peer=10.0.0.2 count=5");
}

static void memory_map_covers_all_of_memory_once(void **state)
{
    uint8_t *info = start_info();
    uint8_t *entry = at(load(info + 0x28, 8));
    uint64_t next = 0, ram = 0;
    for (uint32_t i = 0; i < load(info + 0x30, 4); i++, entry += 24) {
        uint64_t base = load(entry, 8), size = load(entry + 8, 8);
        if (base < MIB(32)) {
            assert_int_equal(base, next);
            next = base + size;
        }
        ram += load(entry + 16, 4) == 1 ? size : 0;
    }
    assert_int_equal(next, MIB(32));
    assert_int_equal(ram, MIB(32) - AREA_SIZE);
}

/* With RAM above 4 GiB each kind of table has one range more, and the same ones below. */
static void memory_map_goes_on_above_4g(void **state)
{
    const struct guest_linux_boot linux_boot = {.setup = (const uint8_t[]){1}, .setup_size = 1};
    const struct guest_multiboot multiboot = {0};
    for (unsigned kind = 0; kind < 3; kind++) {
        struct guest_tables_output output;
        struct guest_tables_input all = input();
        all.memory_size = GUEST_LOW_END;
        all.high_size = GIB(62) + MIB(2);
        all.linux_boot = kind == 1 ? &linux_boot : NULL;
        all.multiboot = kind == 2 ? &multiboot : NULL;
        memset(area, 0, sizeof area);
        assert_int_equal(guest_tables_write(area, sizeof area, &all, &output), STATUS_OK);
        uint8_t *info = at(output.start_info);
        /* where the ranges are, bytes an entry, where in it the base is, and how many there are */
        const uint8_t *range = kind == 0   ? at(load(info + 0x28, 8))
                               : kind == 1 ? info + 0x2d0
                                           : (uint8_t *)at(load(info + 0x30, 4)) + 4;
        const size_t entry = kind == 1 ? 20 : 24;
        const uint64_t count = kind == 0   ? load(info + 0x30, 4)
                               : kind == 1 ? info[0x1e8]
                                           : load(info + 0x2c, 4) / entry;
        assert_int_equal(count, 5);
        uint64_t low = 0, high = 0;
        for (uint64_t i = 0; i < count; i++, range += entry) {
            uint64_t base = load(range, 8), size = load(range + 8, 8);
            if (base == low)
                low += size;
            if (base == GUEST_HIGH_BASE && load(range + 16, 4) == 1)
                high += size;
        }
        assert_int_equal(low, GUEST_LOW_END);
        assert_int_equal(high, GIB(62) + MIB(2));
    }
}

static void every_checksum_is_right(void **state)
{
    uint8_t *rsdp = at(load(start_info() + 0x20, 8));
    assert_int_equal(sum(rsdp, 20), 0);
    assert_int_equal(sum(rsdp, 36), 0);
    uint8_t *xsdt = at(load(rsdp + 24, 8));
    assert_int_equal(sum(xsdt, load(xsdt + 4, 4)), 0);
    static const char *const signatures[] = {"FACP", "APIC", "MCFG"};
    for (size_t i = 0; i < ARRAY_SIZE(signatures); i++) {
        uint8_t *found = table(signatures[i]);
        assert_non_null(found);
        assert_int_equal(sum(found, load(found + 4, 4)), 0);
    }
    uint8_t *dsdt = at(load(table("FACP") + 140, 8));
    assert_memory_equal(dsdt, "DSDT", 4);
    assert_int_equal(sum(dsdt, load(dsdt + 4, 4)), 0);
}

static void madt_lists_each_core(void **state)
{
    uint8_t *madt = table("APIC");
    assert_int_equal(load(madt + 4, 4), 44 + 3 * 16);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(load(madt + 44 + i * 16 + 4, 4), apic_ids[i]);
}

static void machine_is_hardware_reduced(void **state)
{
    assert_true(load(table("FACP") + 112, 4) & BIT(20));
    assert_int_equal(load(table("MCFG") + 44, 8), GUEST_ECAM_BASE);
    assert_int_equal(load(table("MCFG") + 54, 2), 0); /* bus 0 only */
}

/* An AML compiler reads the DSDT back: every package length must be right for that. */
static void dsdt_disassembles(void **state)
{
    uint8_t *dsdt = at(load(table("FACP") + 140, 8));
    char command[256], text[4096] = "";
    if (system("command -v iasl >/dev/null 2>&1") != 0) {
        print_message("skipped: iasl is not installed (package acpica-tools)\n");
        skip();
    }
    FILE *file = fopen("build/unit/dsdt.aml", "wb");
    assert_non_null(file);
    fwrite(dsdt, 1, load(dsdt + 4, 4), file);
    fclose(file);
    snprintf(command, sizeof command,
             "iasl -p build/unit/dsdt -d build/unit/dsdt.aml >build/unit/dsdt.log 2>&1");
    assert_int_equal(system(command), 0);
    file = fopen("build/unit/dsdt.dsl", "r");
    assert_non_null(file);
    size_t size = fread(text, 1, sizeof text - 1, file);
    text[size] = '\0';
    fclose(file);
    assert_non_null(strstr(text, "Device (PCI0)"));
    assert_non_null(strstr(text, "PNP0A08"));
    assert_non_null(strstr(text, "0xC0000000"));
    assert_non_null(strstr(text, "0xFDFFFFFF"));
    assert_non_null(strstr(text, "QWordMemory"));
    assert_non_null(strstr(text, "0x0000000100000000, // Range Minimum"));
    assert_non_null(strstr(text, "0x000000FFFFFFFFFF, // Range Maximum"));
    assert_non_null(strstr(text, "0x000000FF00000000, // Length"));
    assert_non_null(strstr(text, "WordBusNumber"));
    assert_null(strstr(text, "Unknown"));

    /* Compiled again it is the same bytes: no package claims more or less than it has. */
    assert_int_equal(
        system("iasl -oa -p build/unit/again build/unit/dsdt.dsl >build/unit/again.log 2>&1"), 0);
    uint8_t again[512];
    file = fopen("build/unit/again.aml", "rb");
    assert_non_null(file);
    size = fread(again, 1, sizeof again, file);
    fclose(file);
    assert_int_equal(size, load(dsdt + 4, 4));
    assert_memory_equal(again + 36, dsdt + 36, size - 36);
}

/* --- Multiboot: offsets of the specification's 3.3 --- */

static void multiboot_information(void **state)
{
    static const struct guest_multiboot with = {0x123000, 0x456, "notes.txt"}, without = {0};
    struct guest_tables_output output;
    struct guest_tables_input all = input();
    all.multiboot = &with;
    memset(area, 0, sizeof area);
    assert_int_equal(guest_tables_write(area, sizeof area, &all, &output), STATUS_OK);
    uint8_t *info = at(output.start_info);
    assert_int_equal(load(info, 4), 0x24d); /* memory, line, modules, map, loader */
    assert_int_equal(load(info + 4, 4), 640);
    assert_int_equal(load(info + 8, 4), 31 * 1024);
    assert_string_equal(at(load(info + 0x10, 4)), "peer=10.0.0.2 count=5");
    assert_int_equal(load(info + 0x14, 4), 1);
    uint8_t *module = at(load(info + 0x18, 4));
    assert_int_equal(load(module, 4), 0x123000);
    assert_int_equal(load(module + 4, 4), 0x123456);
    assert_string_equal(at(load(module + 8, 4)), "notes.txt");
    assert_string_equal(at(load(info + 0x40, 4)), "Bulkhead");
    uint64_t next = 0, end = load(info + 0x30, 4) + load(info + 0x2c, 4);
    for (uint64_t entry = load(info + 0x30, 4); entry < end; entry += load(at(entry), 4) + 4)
        if (load((uint8_t *)at(entry) + 4, 8) == next)
            next += load((uint8_t *)at(entry) + 12, 8);
    assert_int_equal(next, MIB(32));
    all.multiboot = &without;
    assert_int_equal(guest_tables_write(area, sizeof area, &all, &output), STATUS_OK);
    assert_int_equal(load((uint8_t *)at(output.start_info) + 0x14, 4), 0);
}

/* --- Linux --- */

static const uint8_t setup[] = {3, 1, 2, [0x11] = 0xee, [0x73] = 0x77};

static uint8_t *boot_params(struct guest_tables_output *output)
{
    static const struct guest_linux_boot boot = {
        .setup = setup,
        .setup_size = sizeof setup,
        .initrd_base = 0x1234000,
        .initrd_size = 0x5678,
    };
    struct guest_tables_input all = input();
    all.linux_boot = &boot;
    all.ports = true;
    memset(area, 0, sizeof area);
    assert_int_equal(guest_tables_write(area, sizeof area, &all, output), STATUS_OK);
    return at(output->start_info);
}

/* Offsets of the boot protocol's zero page. */
static void boot_parameters(void **state)
{
    struct guest_tables_output output;
    uint8_t *params = boot_params(&output);
    assert_int_equal(output.start_info % PAGE_SIZE, 0);
    assert_memory_equal(at(load(params + 0x70, 8)), "RSD PTR ", 8);
    assert_int_equal(load(params + 0x1f1, 3), 0x020103);
    assert_int_equal(params[0x210], 0xff); /* a loader without a number */
    assert_int_equal(load(params + 0x218, 4), 0x1234000);
    assert_int_equal(load(params + 0x21c, 4), 0x5678);
    assert_int_equal(params[0x1f1 + 0x73], 0x77);
    assert_string_equal(at(load(params + 0x228, 4)), "peer=10.0.0.2 count=5");
    uint64_t next = 0; /* as PVH's map, which has a test of its own, but 20 bytes an entry */
    for (unsigned i = 0; i < params[0x1e8]; i++) {
        const uint8_t *entry = params + 0x2d0 + i * 20;
        if (load(entry, 8) == next)
            next += load(entry + 8, 8);
    }
    assert_int_equal(next, MIB(32));
}

/* The 64-bit entry wants the first 4 GiB mapped one to one, and two segments at fixed selectors. */
static void state_for_64_bit_entry(void **state)
{
    struct guest_tables_output output;
    (void)boot_params(&output);
    for (uint64_t address = 0; address < GIB(4); address += MIB(2)) {
        uint64_t root = load(at(output.page_tables), 8);
        uint64_t upper = load((uint8_t *)at(root & ~UINT64_C(0xfff)) + (address >> 30) * 8, 8);
        uint64_t entry =
            load((uint8_t *)at(upper & ~UINT64_C(0xfff)) + (address >> 21 & 511) * 8, 8);
        assert_int_equal(root & upper & 3, 3);
        assert_int_equal(entry, address | 0x83);
    }
    assert_int_equal(output.gdt_limit, 31);
    assert_int_equal(load((uint8_t *)at(output.gdt) + 0x10, 8) >> 40 & 0xff, 0x9b);
    assert_int_equal(load((uint8_t *)at(output.gdt) + 0x18, 8) >> 40 & 0xff, 0x93);
}

/* Power off and reset through the ports that are there. */
static void sleep_and_reset_registers(void **state)
{
    assert_int_equal(load(table("FACP") + 112, 4) & BIT(10), 0); /* PVH guests have none */
    struct guest_tables_output output;
    uint8_t *rsdp = at(load(boot_params(&output) + 0x70, 8));
    uint8_t *facp = at(load((uint8_t *)at(load(rsdp + 24, 8)) + 36, 8));
    assert_memory_equal(facp, "FACP", 4);
    assert_int_equal(load(facp + 112, 4) & BIT(10), BIT(10));
    assert_int_equal(facp[116], 1); /* in I/O space */
    assert_int_equal(load(facp + 120, 8), 0x602);
    assert_int_equal(load(facp + 244 + 4, 8), 0x600);
    assert_int_equal(load(facp + 256 + 4, 8), 0x601);
}

static void too_small_an_area_is_refused(void **state)
{
    struct guest_tables_input all = input();
    struct guest_tables_output output;
    for (size_t size = 0; size < 512; size += 16)
        assert_int_equal(guest_tables_write(area, size, &all, &output), STATUS_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start_info_is_pvh),
        cmocka_unit_test(memory_map_covers_all_of_memory_once),
        cmocka_unit_test(memory_map_goes_on_above_4g),
        cmocka_unit_test(every_checksum_is_right),
        cmocka_unit_test(madt_lists_each_core),
        cmocka_unit_test(machine_is_hardware_reduced),
        cmocka_unit_test(dsdt_disassembles),
        cmocka_unit_test(multiboot_information),
        cmocka_unit_test(boot_parameters),
        cmocka_unit_test(state_for_64_bit_entry),
        cmocka_unit_test(sleep_and_reset_registers),
        cmocka_unit_test(too_small_an_area_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
