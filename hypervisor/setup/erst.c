/* SPDX-License-Identifier: MIT */
/* The ERST's actions, flattened into writes and one wait: what stays resident interprets nothing.
 */
#include "hypervisor/acpi/erst.h"

#include "hypervisor/acpi/table.h"
#include "hypervisor/base/clock.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/log_boot.h"
#include "hypervisor/base/log_ring.h"
#include "hypervisor/base/string.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/setup/actions.h"
#include "hypervisor/x86/crash_store.h"

#define STORE_LIMIT MILLISECONDS(2000)
#define MOST_BYTES  KIB(60) /* of the newest lines, if the range is that large */

static uint64_t width_mask(const struct acpi_register *reg)
{
    return reg->width == 8 ? UINT64_MAX : BIT(8 * reg->width) - 1;
}

/* False when it is none that crash_store_write() can do. */
static bool flatten_step(const struct acpi_step *step, uint64_t value, bool last_of_wait,
                         unsigned back)
{
    const struct acpi_register *reg = &step->reg;
    if (step->operation == ACPI_NOTHING)
        return !last_of_wait;
    bool writes = step->operation == ACPI_WRITE || step->operation == ACPI_WRITE_VALUE;
    bool waits = step->operation == ACPI_READ_EQUAL && last_of_wait;
    if (crash_store.steps.count == REGISTER_STEPS || (!writes && !waits) ||
        (writes && last_of_wait) || (reg->port ? reg->width == 2 : reg->width < 4))
        return false;
    struct register_step flat = {
        .address = reg->port ? reg->address : map_device(reg->address, reg->width),
        .width = reg->width,
        .port = reg->port,
        .time = waits ? STORE_LIMIT : 0,
        .wait = waits,
        .back = (uint8_t)back,
    };
    const uint64_t field = step->mask << reg->shift & width_mask(reg);
    value = step->operation == ACPI_WRITE ? value : step->value;
    flat.value = value << reg->shift & (waits ? width_mask(reg) : field);
    flat.mask = waits ? field : step->preserve ? ~field & width_mask(reg) : 0;
    crash_store.steps.step[crash_store.steps.count++] = flat;
    return flat.address != 0;
}

static bool flatten(const struct acpi_actions *actions, uint8_t action, uint64_t value)
{
    unsigned left = 0, done = 0;
    for (uint32_t i = 0; i < actions->count; i++)
        left += actions->steps[i].action == action;
    bool possible = left != 0;
    for (uint32_t i = 0; i < actions->count && possible; i++) {
        if (actions->steps[i].action != action)
            continue;
        unsigned before = crash_store.steps.count;
        possible = flatten_step(&actions->steps[i], value, action == ERST_BUSY && left == 1, done);
        done += crash_store.steps.count - before;
        left--;
    }
    return possible;
}

/* The record's head and boot.start, which says what build this is. Returns the bytes. */
static size_t write_head(uintptr_t range, uint32_t length)
{
    struct erst_record record;
    uint64_t head[sizeof record / sizeof(uint64_t) + LOG_RECORD_WORDS(LOG_LINE_SIZE)] = {0},
                                                     number = 0;
    char text[LOG_LINE_SIZE];
    erst_record_make(&record, length);
    memcpy(head, &record, sizeof record);
    struct log_history first = {.words = head + sizeof record / 8,
                                .count = LOG_RECORD_WORDS(LOG_LINE_SIZE)};
    size_t word = log_history_begin(&log_history);
    size_t size;
    do
        size = log_history_next(&log_history, &word, text, &number);
    while (size != 0 && !log_says_build(text, size));
    first.lines = number;
    if (size != 0)
        log_history_put(&first, text, size);
    size_t used = sizeof record / 8 + first.written;
    for (size_t i = 0; i < used; i++)
        ((volatile uint64_t *)range)[i] = head[i];
    return used * 8;
}

static const char *prepare(const struct acpi_actions *actions)
{
    uint64_t base = 0, size = 0, attributes = 0;
    if (actions_run(actions, ERST_RANGE, &base) != STATUS_OK ||
        actions_run(actions, ERST_RANGE_LENGTH, &size) != STATUS_OK)
        return "it does not say where records go";
    if (base == 0 || !IS_ALIGNED(base, 8) || size < ERST_LEAST || size > GIB(1))
        return "the range for records is none";
    if (actions_run(actions, ERST_RANGE_ATTRIBUTES, &attributes) == STATUS_OK &&
        (attributes & ERST_RANGE_NO_BUFFER) != 0)
        return "the range for records is not a buffer, but where they stay";
    if (!flatten(actions, ERST_BEGIN_WRITE, 0) || !flatten(actions, ERST_SET_OFFSET, 0) ||
        !flatten(actions, ERST_EXECUTE, 0) || !flatten(actions, ERST_BUSY, 0) ||
        !flatten(actions, ERST_END, 0))
        return "its actions are more than single accesses to registers";
    uint32_t length = (uint32_t)ALIGN_DOWN(MIN(size, MOST_BYTES), UINT64_C(8));
    uintptr_t range = map_device(base, length);
    if (range == 0)
        return "the range for records cannot be mapped";
    size_t head = write_head(range, length);
    crash_store.words = (length - head) / 8;
    crash_store.log = (volatile uint64_t *)(range + head);
    return NULL;
}

void erst_prepare(const void *table, uint32_t length)
{
    static struct acpi_actions actions;
    struct acpi_problem bad = {0};
    if (erst_parse(table, length, &actions, &bad) != STATUS_OK) {
        acpi_refuse("ERST", bad.offset, bad.value, bad.message);
        return;
    }
    if (!actions_sound(&actions, "ERST"))
        return;
    const char *problem = prepare(&actions);
    if (problem != NULL) {
        crash_store = (struct crash_store){0};
        log_event("log.refused", "sink=erst message=\"no crash is kept in firmware's store: %s\"",
                  problem);
        return;
    }
    log_event("log.erst",
              "bytes=%zu message=\"the newest lines go to firmware's store when the hypervisor has "
              "an exception\"",
              crash_store.words * 8);
}
