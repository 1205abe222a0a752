/* SPDX-License-Identifier: MIT */
#include "hypervisor/acpi/erst.h"

#include "hypervisor/acpi/bytes.h"
#include "hypervisor/base/string.h"

enum { ERST_COUNT = 44, ERST_ENTRIES = 48, ENTRY_SIZE = 32 };
enum {
    ENTRY_ACTION = 0,
    ENTRY_OPERATION = 1,
    ENTRY_FLAGS = 2,
    ENTRY_REGISTER = 4,
    ENTRY_VALUE = 16,
    ENTRY_MASK = 24,
};
#define FLAG_PRESERVE  0x01
#define SEVERITY_FATAL 1

static const uint8_t creator[16] = {0x1d, 0x6e, 0x07, 0x9a, 0x2c, 0x85, 0x53, 0x4e,
                                    0xb3, 0x41, 0xf8, 0x60, 0xd7, 0x2b, 0x94, 0x5c};

enum status erst_parse(const void *table, uint32_t length, struct acpi_actions *actions,
                       struct acpi_problem *problem)
{
    const uint8_t *bytes = table;
    actions->count = 0;
    length = acpi_action_length(table, length, "ERST", ERST_ENTRIES, problem);
    if (length == 0)
        return STATUS_INVALID;
    uint32_t count = read32(bytes + ERST_COUNT);
    if (count > (length - ERST_ENTRIES) / ENTRY_SIZE) {
        *problem = (struct acpi_problem){ERST_COUNT, count,
                                         "more entries than the table has room "
                                         "for; it is not used"};
        return STATUS_INVALID;
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t offset = ERST_ENTRIES + i * ENTRY_SIZE;
        const uint8_t *entry = bytes + offset;
        struct acpi_step step = {
            .action = entry[ENTRY_ACTION],
            .operation = entry[ENTRY_OPERATION],
            .preserve = (entry[ENTRY_FLAGS] & FLAG_PRESERVE) != 0,
            .value = read64(entry + ENTRY_VALUE),
            .mask = read64(entry + ENTRY_MASK),
        };
        enum status status =
            acpi_action_add(actions, &step, entry + ENTRY_REGISTER, offset, problem);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

void erst_record_make(struct erst_record *record, uint32_t length)
{
    *record = (struct erst_record){
        .header = {.signature = {'C', 'P', 'E', 'R'},
                   .revision = 0x0100,
                   .signature_end = UINT32_MAX,
                   .sections = 1,
                   .severity = SEVERITY_FATAL,
                   .length = length,
                   .id = ERST_RECORD_ID},
        .section = {.offset = sizeof *record,
                    .length = length - (uint32_t)sizeof *record,
                    .revision = 0x0100,
                    .severity = SEVERITY_FATAL},
    };
    memcpy(record->header.creator, creator, sizeof creator);
    memcpy(record->section.type, creator, sizeof creator);
}

size_t erst_record_words(const void *range, uint64_t size)
{
    struct erst_record record, expected;
    if (size < sizeof record)
        return 0;
    memcpy(&record, range, sizeof record);
    if (record.header.length < sizeof record || record.header.length > size)
        return 0;
    erst_record_make(&expected, record.header.length);
    /* Firmware may note in the header when it wrote it. */
    if (memcmp(record.header.signature, expected.header.signature, 4) != 0 ||
        memcmp(record.header.creator, creator, sizeof creator) != 0 ||
        record.header.id != ERST_RECORD_ID || record.section.offset != expected.section.offset)
        return 0;
    return ALIGN_DOWN(record.header.length - sizeof record, (size_t)8);
}
