/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/setup/console.c hypervisor/setup/console_late.c
// SOURCES: hypervisor/setup/console_pci.c hypervisor/setup/serial.c drivers/serial/serial.c
// SOURCES: hypervisor/monitor/console.c hypervisor/acpi/find.c hypervisor/acpi/spcr.c
// SOURCES: hypervisor/acpi/dbg2.c hypervisor/acpi/serial_port.c hypervisor/acpi/table.c
// SOURCES: hypervisor/config/config.c hypervisor/config/config_keys.c
// SOURCES: hypervisor/config/config_owners.c hypervisor/config/config_words.c
// SOURCES: hypervisor/config/config_cores.c hypervisor/config/config_console.c
// SOURCES: hypervisor/base/format.c hypervisor/base/status.c hypervisor/base/text.c
/* Which serial port the console gets: by command line, configuration, SPCR, DBG2 and PCI functions,
 * true ones and lies, on a machine with one 16550 somewhere. */
#include <stdio.h>
#include <stdlib.h>

#include "drivers/framebuffer/framebuffer.h"
#include "drivers/keyboard/keyboard.h"
#include "drivers/serial/serial_registers.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/log_boot.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/monitor/console.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/setup/console_internal.h"
#include "hypervisor/setup/framebuffer.h"
#include "hypervisor/setup/keyboard.h"
#include "hypervisor/setup/pci_buses.h"
#include "tests/unit/support/no_screen.h"
#include "tests/unit/support/tables.h"
#include "tests/unit/support/uart_model.h"

struct log_sink log_sink;
static struct boot_info boot;
static struct config config;
static uint8_t *firmware; /* what the loader's map lists as ACPI tables */
static uint32_t firmware_size;
static uintptr_t maps_to;
static bool can_map;
static struct pci_function function;
static uint16_t command;
static bool decodes_late, keyboard_probed;
static enum keyboard_found keyboard_is;

/* A device late in the log: the log of this test is its text. */
size_t log_tail(char *buffer, size_t size)
{
    int length = snprintf(buffer, size, "%s", host_log_text());
    return MIN((size_t)length, size - 1);
}

uintptr_t map_device(uint64_t physical, uint64_t size)
{
    if (!can_map)
        return 0;
    assert_int_equal(physical, uart.base);
    assert_int_equal(size, 8 * uart.stride);
    uart.base = maps_to;
    return maps_to;
}

int keyboard_read(void)
{
    return -1;
}
enum keyboard_found keyboard_probe(void)
{
    keyboard_probed = true;
    return keyboard_is;
}

size_t pci_function_count(void)
{
    return 1;
}
struct pci_function *pci_function_at(size_t index)
{
    return index == 0 ? &function : NULL;
}
rid_t pci_rid_now(rid_t rid)
{
    return rid == RID(0, 3, 0, 3) ? function.rid : rid; /* its bus has another number now */
}

struct pci_function *pci_function_find(rid_t rid)
{
    return rid == function.rid ? &function : NULL;
}
uint32_t pci_config_read(rid_t rid, unsigned offset, unsigned width)
{
    assert_int_equal(offset, PCI_COMMAND);
    return command;
}
void pci_config_write(rid_t rid, unsigned offset, unsigned width, uint32_t value)
{
    assert_int_equal(offset, PCI_COMMAND);
    command = (uint16_t)value;
}
void pci_command_set(const struct pci_function *of, uint16_t set, uint16_t clear)
{
    command = (uint16_t)((command & ~clear) | set);
    if (decodes_late)
        uart.kind = UART_16550;
}

/* --- its description --- */

static struct table_builder table;

static void add_table(const char *signature)
{
    table_end(&table);
    memcpy(firmware + firmware_size, table.bytes, table.length);
    firmware_size += ALIGN_UP(table.length, 16u);
}

static void gas(unsigned space, unsigned width, unsigned access, uint64_t address)
{
    put(&table, space, 1);
    put(&table, width, 2);
    put(&table, access, 1);
    put(&table, address, 8);
}

static void with_spcr(unsigned type, unsigned space, unsigned width, uint64_t address)
{
    table_begin(&table, "SPCR");
    put(&table, type, 4);
    gas(space, width, 0, address);
    put(&table, 0, 6);
    put(&table, 7, 22);
    add_table("SPCR");
}

static void with_dbg2(uint64_t address)
{
    table_begin(&table, "DBG2");
    put(&table, 44, 4);
    put(&table, 1, 4);
    put(&table, 0, 1);
    put(&table, 34, 2);
    put(&table, 1, 9);
    put(&table, 0x8000, 2);
    put(&table, 0, 4);
    put(&table, 22, 4);
    gas(1, 8, 1, address);
    add_table("DBG2");
}

static void configure(const char *line)
{
    static char text[256];
    snprintf(text, sizeof text, "[system]\n%s\n", line);
    boot.config_base = (uint64_t)(uintptr_t)text;
    boot.config_size = strlen(text);
}

/* RSDP and an XSDT that lists every table of `firmware`, which begins at its 1024th byte. */
static void finish_tables(void)
{
    uint64_t base = (uint64_t)(uintptr_t)firmware, xsdt = base + 64;
    memcpy(firmware, "RSD PTR ", 8);
    firmware[15] = 2;
    memcpy(firmware + 24, &xsdt, 8);
    fix_checksum(firmware, 20, 8);
    table_begin(&table, "XSDT");
    for (uint32_t at = 1024; at < firmware_size;) {
        uint32_t length;
        memcpy(&length, firmware + at + 4, 4);
        put(&table, base + at, 8);
        at += ALIGN_UP(length, 16u);
    }
    table_end(&table);
    memcpy(firmware + 64, table.bytes, table.length);
    boot.rsdp = base;
    boot.ranges[0] = (struct boot_memory_range){base, 8192, BOOT_MEMORY_ACPI, 0};
    boot.ranges[1] = (struct boot_memory_range){0x70000000, MIB(16), BOOT_MEMORY_USABLE, 0};
    boot.range_count = 2;
}

static int begin(void **state)
{
    host_log_clear();
    free(firmware);
    firmware = aligned_alloc(4096, 8192);
    memset(firmware, 0, 8192);
    firmware_size = 1024;
    boot = (struct boot_info){.magic = BOOT_INFO_MAGIC, .size = sizeof boot};
    console_choice = (struct console_choice){0};
    serial_port = (struct serial_port){0};
    uart_reset(UART_16550, false, 0x3f8, 1, 1);
    can_map = true;
    maps_to = 0xffff810000000000;
    function = (struct pci_function){.rid = RID(0, 4, 0, 3), .class_code = 0x070002};
    command = 0;
    decodes_late = false;
    return 0;
}

static void start(void)
{
    finish_tables();
    console_start(&boot, &config);
}

static void expect_open(const char *source, uint64_t address)
{
    assert_non_null(console_choice.source);
    assert_string_equal(console_choice.source, source);
    assert_int_equal(console_choice.place.address, address);
    char text[64];
    snprintf(text, sizeof text, "source=%s", source);
    assert_true(host_log_count("console.serial", text) >= 1);
}

static void test_com1_when_nothing_is_said(void **state)
{
    start();
    expect_open("com1", 0x3f8);
    assert_int_equal(host_log_count("console.refused", NULL), 0);
    begin(state);
    boot.magic = 1; /* another version's structure: nothing in it is looked at */
    configure("console = none");
    start();
    expect_open("com1", 0x3f8);
}

static void test_firmwares_port(void **state)
{
    uart.base = 0x2f8;
    with_spcr(0, 1, 8, 0x2f8);
    with_dbg2(0x3e8);
    start();
    expect_open("spcr", 0x2f8);
    begin(state);
    uart.base = 0x3e8;
    with_dbg2(0x3e8);
    start();
    expect_open("dbg2", 0x3e8);
}

static void test_memory(void **state)
{
    uart_reset(UART_16550, true, 0xfe030000, 4, 1);
    with_spcr(0x12, 0, 32, 0xfe030000);
    start();
    expect_open("spcr", 0xfe030000);
    console_map();
    assert_int_equal(serial_port.base, maps_to);
    log_sink.write("moved\n", 6);
    assert_non_null(strstr(uart.sent, "moved\r\n"));
    /* Without a page for it the console is lost, not the machine. */
    begin(state);
    uart_reset(UART_16550, true, 0xfe030000, 4, 1);
    with_spcr(0x12, 0, 32, 0xfe030000);
    start();
    can_map = false;
    console_map();
    assert_false(serial_port.memory);
}

/* Beyond what the loader maps: COM1 until the hypervisor's own tables are there. */
static void test_high_memory(void **state)
{
    uart_reset(UART_16550, true, 0x4000000000, 1, 1);
    with_spcr(0, 0, 8, 0x4000000000);
    start();
    assert_null(console_choice.source);
    console_map();
    expect_open("spcr", 0x4000000000);
    assert_non_null(strstr(uart.sent, "console.refused")); /* what was said before */
}

static void test_what_firmware_says_and_is_not_there(void **state)
{
    static const struct {
        unsigned type, space, width;
        uint64_t address;
        const char *said;
    } lies[] = {
        {0, 1, 8, 0x2f8, "nothing answers there"},
        {0, 1, 8, 0x60, "other devices"},
        {0, 1, 8, 0xcf8, "other devices"},
        {0, 1, 8, 0xcf1, "other devices"},
        {0, 0, 8, 0x70001000, "memory is there"},
        {0, 0, 32, 0xfec00000, "interrupt controllers"},
        {0, 0, 32, 0xfee00300, "interrupt controllers"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
        begin(state);
        with_spcr(lies[i].type, lies[i].space, lies[i].width, lies[i].address);
        start();
        expect_open("com1", 0x3f8);
        assert_int_equal(host_log_count("console.refused", "source=spcr"), 1);
        assert_int_equal(host_log_count("console.refused", lies[i].said), 1);
        /* And it is read where there is a reader. */
        assert_non_null(strstr(uart.sent, lies[i].said));
    }
    begin(state);
    with_spcr(3, 0, 32, 0xfe030000);
    start();
    expect_open("com1", 0x3f8);
    assert_non_null(strstr(uart.sent, "Arm PL011"));
    begin(state);
    uart.kind = UART_ABSENT;
    start();
    assert_null(console_choice.source);
    assert_int_equal(host_log_count("console.refused", "there is no serial port"), 1);
}

static void test_tables_outside_of_memory_are_not_read(void **state)
{
    uart.base = 0x2f8;
    with_spcr(0, 1, 8, 0x2f8);
    finish_tables();
    boot.range_count = 0;
    console_start(&boot, &config);
    assert_null(console_choice.source);
}

static void test_the_users_word(void **state)
{
    uart.base = 0x2e8;
    with_spcr(0, 1, 8, 0x2f8);
    configure("console = com4");
    strcpy(boot.command_line, "console=com2");
    boot.flags = BOOT_FLAG_VERIFIED; /* then only the configuration says where the prompt is */
    start();
    expect_open("configuration", 0x2e8);
    begin(state);
    uart.base = 0x2f8;
    configure("console = com4");
    strcpy(boot.command_line, "bulkhead.efi console=com2 x.conf");
    start();
    expect_open("command-line", 0x2f8);
    begin(state);
    configure("console = none");
    start();
    assert_null(console_choice.source);
    assert_int_equal(uart.accesses, 0);
    begin(state); /* not there: as if nothing had been said */
    configure("console = com3");
    start();
    expect_open("com1", 0x3f8);
    assert_int_equal(host_log_count("console.refused", "source=configuration port=0x3e8"), 1);
    begin(state);
    uart_reset(UART_16550, true, 0xfe030000, 4, 4);
    configure("console = mmio:0xfe030000,4");
    start();
    expect_open("configuration", 0xfe030000);
    begin(state); /* a mistake in it is said later, by configuration_read() */
    configure("console = com5");
    start();
    expect_open("com1", 0x3f8);
}

static void test_pci_port(void **state)
{
    uart.kind = UART_ABSENT;
    uart.base = 0x6000;
    decodes_late = true;
    function.bar[1] = (struct pci_bar){.base = 0x6000, .size = 8, .io = true};
    configure("console = pci:03:00.3");
    start();
    assert_null(console_choice.source);
    console_map();
    console_start_pci();
    expect_open("configuration", 0x6000);
    assert_int_equal(command, PCI_COMMAND_IO | PCI_COMMAND_INTX_OFF);
    assert_int_equal(function.owner, OWNER_HYPERVISOR);
    assert_int_equal(host_log_count("console.function", "rid=04:00.3 bar=1"), 1);
    assert_non_null(strstr(uart.sent, "there is no serial port")); /* all from the start */
}

static void test_pci_memory(void **state)
{
    uart_reset(UART_16550, true, 0x4000001000, 1, 1);
    function.bar[0] = (struct pci_bar){.base = 0x4000001000, .size = 4096, .is_64bit = true};
    configure("console = pci:04:00.3");
    start();
    console_start_pci();
    expect_open("configuration", 0x4000001000);
    assert_int_equal(command, PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_OFF);
    assert_int_equal(function.owner, OWNER_HYPERVISOR);
}

static void expect_stays(const char *said)
{
    start();
    console_start_pci();
    assert_int_equal(host_log_count("console.refused", said), 1);
    expect_open("com1", 0x3f8);
    assert_int_equal(command, 0);
    assert_int_equal(function.owner, OWNER_NOBODY);
    log_sink.write("here", 4);
    assert_non_null(strstr(uart.sent, "here"));
}

static void test_pci_port_that_is_none(void **state)
{
    function.bar[1] = (struct pci_bar){.base = 0x6000, .size = 8, .io = true};
    configure("console = pci:04:00.3");
    expect_stays("nothing answers there");
    begin(state);
    configure("console = pci:04:00.3");
    function.class_code = 0x020000;
    function.bar[1] = (struct pci_bar){.base = 0x6000, .size = 8, .io = true};
    expect_stays("class 07/00");
    begin(state);
    configure("console = pci:04:00.3");
    expect_stays("none of its BARs");
    begin(state);
    configure("console = pci:04:00.2");
    expect_stays("no such function");
    begin(state);
    configure("console = pci:04:00.3");
    function.life = PCI_UNUSABLE;
    function.bar[1] = (struct pci_bar){.base = 0x6000, .size = 8, .io = true};
    expect_stays("known state");
    begin(state);
    configure("console = pci:04:00.3");
    function.bar[1] = (struct pci_bar){.base = 0xfff9, .size = 8, .io = true};
    expect_stays("none of its BARs");
}

/* SPCR may name the port of a PCI function: that is the hypervisor's then. */
static void test_firmwares_port_in_a_bar(void **state)
{
    uart.base = 0x3060;
    function.bar[0] = (struct pci_bar){.base = 0x3060, .size = 8, .io = true};
    with_spcr(0, 1, 8, 0x3060);
    start();
    console_start_pci();
    expect_open("spcr", 0x3060);
    assert_int_equal(function.owner, OWNER_HYPERVISOR);
    begin(state);
    function.bar[0] = (struct pci_bar){.base = 0x3060, .size = 8, .io = true};
    start();
    console_start_pci();
    assert_int_equal(function.owner, OWNER_NOBODY);
}

static void test_screen_and_keyboard(void **state)
{
    start();
    console_start_screen(&boot);
    assert_int_equal(host_log_count("console.screen", "none"), 1);
    strcpy(boot.framebuffer.problem, "only firmware can draw on it (PixelBltOnly)");
    console_start_screen(&boot);
    assert_int_equal(host_log_count("console.refused", "PixelBltOnly"), 1);
    boot.framebuffer.format = BOOT_FRAMEBUFFER_BGRX;
    console_start_screen(&boot);
    assert_int_equal(host_log_count("console.refused", "as the test says"), 1);
    boot.framebuffer.width = 800;
    console_start_screen(&boot);
    assert_int_equal(host_log_count("console.screen", "width=800"), 1);

    keyboard_probed = false;
    console_start_keyboard(true);
    assert_false(keyboard_probed);
    assert_int_equal(host_log_count("console.refused", "the FADT denies"), 1);
    keyboard_is = KEYBOARD_TRAPPED;
    console_start_keyboard(false);
    assert_int_equal(host_log_count("console.refused", "(SMI)"), 1);
    keyboard_is = KEYBOARD_ABSENT;
    console_start_keyboard(false);
    assert_int_equal(host_log_count("console.refused", "no keyboard controller answers"), 1);
    keyboard_is = KEYBOARD_FOUND;
    console_start_keyboard(false);
    assert_int_equal(host_log_count("console.keyboard", "ps2"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_com1_when_nothing_is_said, begin),
        cmocka_unit_test_setup(test_firmwares_port, begin),
        cmocka_unit_test_setup(test_memory, begin),
        cmocka_unit_test_setup(test_high_memory, begin),
        cmocka_unit_test_setup(test_what_firmware_says_and_is_not_there, begin),
        cmocka_unit_test_setup(test_tables_outside_of_memory_are_not_read, begin),
        cmocka_unit_test_setup(test_the_users_word, begin),
        cmocka_unit_test_setup(test_pci_port, begin),
        cmocka_unit_test_setup(test_pci_memory, begin),
        cmocka_unit_test_setup(test_pci_port_that_is_none, begin),
        cmocka_unit_test_setup(test_firmwares_port_in_a_bar, begin),
        cmocka_unit_test_setup(test_screen_and_keyboard, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
