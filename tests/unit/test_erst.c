/* SPDX-License-Identifier: MIT */
// A crash goes to firmware's store: what is worked out at boot, and what is then done.
// SOURCES: hypervisor/setup/erst.c hypervisor/x86/crash_store.c hypervisor/x86/steps.c
// SOURCES: hypervisor/acpi/action.c
// SOURCES: hypervisor/acpi/erst.c hypervisor/acpi/table.c hypervisor/base/log_ring.c
// SOURCES: boot/kept_log.c
#include <stdio.h>

#include "boot/kept_log.h"
#include "hypervisor/acpi/erst.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/setup/actions.h"
#include "hypervisor/x86/crash_store.h"
#include "tests/unit/support/tables.h"

struct log_history log_history;
static uint64_t ring[1024];
static uint64_t range[KIB(8) / 8];
static struct table_builder table;
static char trace[2048];
static unsigned busy; /* reads that still say so */

#define ACTION UINT64_C(0xfe000000)
#define VALUE  UINT64_C(0xfe000008)

static void note(const char *kind, uint64_t address, uint64_t value)
{
    size_t used = strlen(trace);
    snprintf(trace + used, sizeof trace - used, "%s%lx=%lx ", kind, address & 0xffff, value);
}

void mmio_write32(uintptr_t address, uint32_t value)
{
    note("", address, value);
}

void mmio_write64(uintptr_t address, uint64_t value)
{
    note("q", address, value);
}

/* Widths that no step of these has. */
uint8_t mmio_read8(uintptr_t address)
{
    fail();
    return 0;
}

uint16_t mmio_read16(uintptr_t address)
{
    fail();
    return 0;
}

void mmio_write8(uintptr_t address, uint8_t value)
{
    fail();
}

void mmio_write16(uintptr_t address, uint16_t value)
{
    fail();
}

uint16_t port_read16(uint16_t port)
{
    fail();
    return 0;
}

void port_write16(uint16_t port, uint16_t value)
{
    fail();
}

void port_write8(uint16_t port, uint8_t value)
{
    note("p", port, value);
}

void port_write32(uint16_t port, uint32_t value)
{
    note("p", port, value);
}

uint64_t mmio_read64(uintptr_t address)
{
    assert_int_equal(address, VALUE);
    if (busy == 0)
        return 0xf0;
    busy--;
    return 0xf1;
}

uint32_t mmio_read32(uintptr_t address)
{
    return 0xabcd;
}

uint8_t port_read8(uint16_t port)
{
    return 0;
}

uint32_t port_read32(uint16_t port)
{
    return 0;
}

uintptr_t map_device(uint64_t physical, uint64_t size)
{
    return physical == 0x1000 ? (uintptr_t)range : physical;
}

bool actions_sound(const struct acpi_actions *actions, const char *name)
{
    return true;
}

static uint64_t attributes, range_size = sizeof range;

enum status actions_run(const struct acpi_actions *actions, uint8_t action, uint64_t *value)
{
    *value = action == ERST_RANGE ? 0x1000 : action == ERST_RANGE_LENGTH ? range_size : attributes;
    return STATUS_OK;
}

static void step(unsigned action, unsigned operation, unsigned flags, unsigned space, unsigned bits,
                 uint64_t address, uint64_t value, uint64_t mask)
{
    put(&table, action, 1);
    put(&table, operation, 1);
    put(&table, flags, 2);
    put(&table, space, 1);
    put(&table, bits, 1);
    put(&table, 0, 2);
    put(&table, address, 8);
    put(&table, value, 8);
    put(&table, mask, 8);
    put_at(&table, 44, (table.length - 48) / 32, 4);
}

/* As QEMU's, with firmware's own port for the action that does it. */
static void begin(void)
{
    table_begin(&table, "ERST");
    put(&table, 48, 4);
    put(&table, 0, 8);
    step(ERST_BEGIN_WRITE, ACPI_WRITE_VALUE, 0, 0, 32, ACTION, 0, 0xff);
    step(ERST_SET_OFFSET, ACPI_WRITE, 0, 0, 64, VALUE, 0, UINT64_MAX);
    step(ERST_SET_OFFSET, ACPI_WRITE_VALUE, 1, 0, 32, ACTION, 4, 0xff);
    step(ERST_EXECUTE, ACPI_WRITE_VALUE, 0, 1, 8, 0xb2, 0x9c, 0xff);
    step(ERST_BUSY, ACPI_WRITE_VALUE, 0, 0, 32, ACTION, 6, 0xff);
    step(ERST_BUSY, ACPI_READ_EQUAL, 0, 0, 64, VALUE, 1, 1);
    step(ERST_END, ACPI_WRITE_VALUE, 0, 0, 32, ACTION, 3, 0xff);
    step(ERST_END, ACPI_NOTHING, 0, 0, 0, 0, 0, 0);
}

static int start(void **state)
{
    char text[LOG_LINE_SIZE];
    crash_store = (struct crash_store){0};
    attributes = 0;
    range_size = sizeof range;
    memset(range, 0, sizeof range);
    log_history = (struct log_history){.words = ring, .count = ARRAY_SIZE(ring)};
    for (unsigned i = 0; i < 3; i++) {
        snprintf(text, sizeof text, i == 1 ? "[0.1] boot.start %u\n" : "line %u\n", i);
        log_history_put(&log_history, text, strlen(text));
    }
    host_log_clear();
    trace[0] = '\0';
    begin();
    return 0;
}

static bool prepare(void)
{
    table_end(&table);
    erst_prepare(table.bytes, table.length);
    assert_int_equal(host_log_count("log.erst", NULL), crash_store.log != NULL);
    return crash_store.log != NULL;
}

static void test_what_is_refused(void **state)
{
    start(state);
    attributes = 2; /* the range is where records stay */
    assert_false(prepare());
    assert_int_equal(host_log_count("log.refused", "sink=erst"), 1);
    start(state);
    range_size = 512;
    assert_false(prepare());
    start(state);
    step(ERST_EXECUTE, ACPI_GOTO, 0, 0, 0, 0, 0, 0);
    assert_false(prepare());
    assert_int_equal(host_log_count("log.refused", "single accesses"), 1);
    start(state);
    step(ERST_BUSY, ACPI_READ_EQUAL, 0, 0, 64, VALUE, 1, 1); /* two waits */
    assert_false(prepare());
    start(state);
    for (unsigned i = 0; i < REGISTER_STEPS; i++)
        step(ERST_END, ACPI_WRITE_VALUE, 0, 0, 32, ACTION, 3, 0xff);
    assert_false(prepare());
    assert_int_equal(crash_store.steps.count, 0);
    start(state);
    put_at(&table, 44, 1000, 4);
    table_end(&table);
    erst_prepare(table.bytes, table.length);
    assert_int_equal(host_log_count("acpi.refused", "table=ERST offset=0x2c"), 1);
    assert_string_equal(trace, "");
}

/* The last test that writes: a crash is written once. */
static void test_the_record(void **state)
{
    char text[LOG_LINE_SIZE];
    uint64_t gap;
    struct kept_log log;
    assert_true(prepare());
    assert_string_equal(trace, ""); /* the store is not touched at boot */
    for (unsigned i = 3; i < 400; i++) {
        snprintf(text, sizeof text, "line %u\n", i);
        log_history_put(&log_history, text, strlen(text));
    }
    busy = 2;
    crash_store_write();
    assert_string_equal(trace, "0=0 q8=0 0=ab04 pb2=9c 0=6 0=6 0=6 0=3 ");
    size_t words = erst_record_words(range, sizeof range);
    assert_int_equal(words, sizeof range - sizeof(struct erst_record));
    uint64_t *begin_of_log = range + sizeof(struct erst_record) / 8;
    assert_true(kept_log_open_ring(&log, begin_of_log, words / 8));
    static const char build[] = "[0.1] boot.start 1\n"; /* which build it was, then the newest */
    assert_int_equal(kept_log_next(&log, text, &gap), sizeof build - 1);
    assert_memory_equal(text, build, sizeof build - 1);
    unsigned number = 0, count = 0;
    for (size_t size; (size = kept_log_next(&log, text, &gap)) != 0; count++) {
        text[size] = '\0';
        assert_int_equal(sscanf(text, "line %u\n", &number), 1);
    }
    assert_int_equal(number, 399);
    assert_true(count > 150);
    trace[0] = '\0';
    crash_store_write();
    assert_string_equal(trace, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_what_is_refused, start),
        cmocka_unit_test_setup(test_the_record, start),
    };
    return cmocka_run_group_tests_name("erst", tests, NULL, NULL);
}
