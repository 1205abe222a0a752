/* SPDX-License-Identifier: MIT */
#include "hypervisor/acpi/ivrs.h"
#include "hypervisor/acpi/bytes.h"
#include "hypervisor/acpi/table.h"

#define IVRS_NAME   "IVRS"
#define IVRS_FIRST  48u
#define BLOCK_HEAD  4u  /* type, flags, length */
#define IVHD_LENGTH 24u /* up to the feature information; the shortest kind has no more */

enum { IVHD_10 = 0x10, IVHD_11 = 0x11, IVHD_40 = 0x40 };

static void add_unit(struct ivrs *ivrs, const uint8_t *block, uint32_t offset)
{
    const struct ivrs_unit unit = {
        .base = read64(block + 8), .segment = read16(block + 16), .rid = read16(block + 4)};
    for (uint32_t i = 0; i < ivrs->unit_count; i++)
        if (ivrs->unit[i].base == unit.base)
            return;
    if (unit.base == 0 || unit.base % PAGE_SIZE != 0) {
        acpi_refuse(IVRS_NAME, offset + 8, unit.base, "an impossible register base; left out");
        return;
    }
    if (ivrs->unit_count == IVRS_MAX_UNITS) {
        acpi_refuse(IVRS_NAME, offset, unit.base, "more units than can be listed; left out");
        return;
    }
    ivrs->unit[ivrs->unit_count++] = unit;
}

enum status ivrs_parse(const void *table, uint32_t length, struct ivrs *ivrs)
{
    ivrs->unit_count = 0;
    length = acpi_usable_length(table, length, IVRS_NAME, IVRS_FIRST);
    if (length == 0)
        return STATUS_INVALID;
    const uint8_t *bytes = table;
    uint32_t offset = IVRS_FIRST;
    while (offset < length) {
        uint32_t left = length - offset;
        uint32_t size = left < BLOCK_HEAD ? 0 : read16(bytes + offset + 2);
        if (size < BLOCK_HEAD || size > left) {
            acpi_refuse(IVRS_NAME, offset, size,
                        "impossible block length; it and what follows are ignored");
            break;
        }
        uint8_t type = bytes[offset];
        if ((type == IVHD_10 || type == IVHD_11 || type == IVHD_40) && size >= IVHD_LENGTH)
            add_unit(ivrs, bytes + offset, offset);
        offset += size;
    }
    return STATUS_OK;
}
