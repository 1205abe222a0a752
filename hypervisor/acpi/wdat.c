/* SPDX-License-Identifier: MIT */
#include "hypervisor/acpi/wdat.h"

#include "hypervisor/acpi/bytes.h"

enum {
    WDAT_PERIOD = 48,
    WDAT_LONGEST = 52,
    WDAT_FLAGS = 60,
    WDAT_COUNT = 64,
    WDAT_ENTRIES = 68,
    ENTRY_SIZE = 24,
};
#define FLAG_ENABLED 0x01

/* An entry: action, operation, two reserved bytes, register, value, mask. */
enum {
    ENTRY_ACTION = 0,
    ENTRY_OPERATION = 1,
    ENTRY_REGISTER = 4,
    ENTRY_VALUE = 16,
    ENTRY_MASK = 20
};
#define OPERATION_PRESERVE 0x80

static const uint8_t operations[] = {ACPI_READ_EQUAL, ACPI_READ, ACPI_WRITE_VALUE, ACPI_WRITE};

enum status wdat_parse(const void *table, uint32_t length, struct wdat *wdat,
                       struct acpi_problem *problem)
{
    const uint8_t *bytes = table;
    *wdat = (struct wdat){0};
    length = acpi_action_length(table, length, "WDAT", WDAT_ENTRIES, problem);
    if (length == 0)
        return STATUS_INVALID;
    uint32_t count = read32(bytes + WDAT_COUNT);
    if (count > (length - WDAT_ENTRIES) / ENTRY_SIZE) {
        *problem = (struct acpi_problem){WDAT_COUNT, count,
                                         "more entries than the table has room "
                                         "for; it is not used"};
        return STATUS_INVALID;
    }
    wdat->period = read32(bytes + WDAT_PERIOD);
    wdat->longest = read32(bytes + WDAT_LONGEST);
    wdat->enabled = (bytes[WDAT_FLAGS] & FLAG_ENABLED) != 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t offset = WDAT_ENTRIES + i * ENTRY_SIZE;
        const uint8_t *entry = bytes + offset;
        uint8_t operation = entry[ENTRY_OPERATION] & (uint8_t)~OPERATION_PRESERVE;
        struct acpi_step step = {
            .action = entry[ENTRY_ACTION],
            .operation = operation < sizeof operations ? operations[operation] : ACPI_OPERATIONS,
            .preserve = (entry[ENTRY_OPERATION] & OPERATION_PRESERVE) != 0,
            .value = read32(entry + ENTRY_VALUE),
            .mask = read32(entry + ENTRY_MASK),
        };
        enum status status =
            acpi_action_add(&wdat->actions, &step, entry + ENTRY_REGISTER, offset, problem);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}
