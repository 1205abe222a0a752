/* SPDX-License-Identifier: MIT */
#include "hypervisor/acpi/dmar.h"
#include "hypervisor/acpi/bytes.h"
#include "hypervisor/acpi/table.h"

#define DMAR_NAME  "DMAR"
#define DMAR_WIDTH 36
#define DMAR_FLAGS 37
#define DMAR_FIRST 48u /* remapping structures, VT-d 8.1 */
#define MAX_WIDTH  52u

#define HEADER_SIZE 4u /* of a structure: type, length */

/* Where each type keeps its fields (VT-d 8.3 to 8.9); 0: it has none, as offset 0 is the type. */
struct layout {
    const char *name;
    uint8_t smallest; /* bytes before scopes or name */
    bool scopes;
    uint8_t flags, segment, base, limit, size, proximity, device_number, object_name;
};
/* clang-format off */
static const struct layout layouts[] = {
    [DMAR_DRHD] = {.name = "DRHD", .smallest = 16, .scopes = true,
                   .flags = 4, .size = 5, .segment = 6, .base = 8},
    [DMAR_RMRR] = {.name = "RMRR", .smallest = 24, .scopes = true,
                   .segment = 6, .base = 8, .limit = 16},
    [DMAR_ATSR] = {.name = "ATSR", .smallest = 8, .scopes = true, .flags = 4, .segment = 6},
    [DMAR_RHSA] = {.name = "RHSA", .smallest = 20, .base = 8, .proximity = 16},
    [DMAR_ANDD] = {.name = "ANDD", .smallest = 8, .device_number = 7, .object_name = 8},
    [DMAR_SATC] = {.name = "SATC", .smallest = 8, .scopes = true, .flags = 4, .segment = 6},
    [DMAR_SIDP] = {.name = "SIDP", .smallest = 8, .scopes = true, .segment = 6},
};
/* clang-format on */
static const struct layout unknown_layout = {.smallest = HEADER_SIZE};

/* Device scope (VT-d 8.3.1): type, length, flags, reserved, enumeration id, start bus, path. */
#define SCOPE_PATH     6u
#define SCOPE_SMALLEST 8u /* one hop */

static const struct layout *layout_of(uint16_t type)
{
    return type < ARRAY_SIZE(layouts) ? &layouts[type] : &unknown_layout;
}

const char *dmar_type_name(uint16_t type)
{
    return type < ARRAY_SIZE(layouts) ? layouts[type].name : "unknown";
}

const char *dmar_scope_type_name(uint8_t type)
{
    static const char *const names[] = {
        [SCOPE_ENDPOINT] = "endpoint", [SCOPE_BRIDGE] = "bridge",       [SCOPE_IOAPIC] = "ioapic",
        [SCOPE_HPET] = "hpet",         [SCOPE_NAMESPACE] = "namespace",
    };
    return type < ARRAY_SIZE(names) && names[type] != NULL ? names[type] : "unknown";
}

static bool scope_length_possible(const uint8_t *scope, uint32_t left)
{
    return left >= SCOPE_SMALLEST && scope[1] >= SCOPE_SMALLEST && scope[1] <= left &&
           scope[1] % 2 == 0;
}

/* Offset inside the structure at which its scopes stop making sense; its length if they do not. */
static uint32_t check_scopes(const uint8_t *structure, uint32_t length, const struct layout *layout)
{
    uint32_t offset = layout->scopes ? layout->smallest : length;
    while (offset < length && scope_length_possible(structure + offset, length - offset))
        offset += structure[offset + 1];
    return offset;
}

enum status dmar_parse(const void *table, uint32_t length, struct dmar *dmar)
{
    *dmar = (struct dmar){0};
    length = acpi_usable_length(table, length, DMAR_NAME, DMAR_FIRST);
    if (length == 0)
        return STATUS_INVALID;
    const uint8_t *bytes = table;
    unsigned width = bytes[DMAR_WIDTH] + 1u;
    if (width > MAX_WIDTH) {
        acpi_refuse(DMAR_NAME, DMAR_WIDTH, bytes[DMAR_WIDTH],
                    "no machine has so many address bits; 52 are assumed");
        width = MAX_WIDTH;
    }
    dmar->bytes = bytes;
    dmar->host_address_width = (uint8_t)width;
    dmar->flags = bytes[DMAR_FLAGS];

    uint32_t offset = DMAR_FIRST;
    while (offset < length) {
        uint32_t left = length - offset;
        const uint8_t *structure = bytes + offset;
        if (left < HEADER_SIZE) {
            acpi_refuse(DMAR_NAME, offset, left,
                        "the last structure is cut off; what came before is used");
            break;
        }
        const struct layout *layout = layout_of(read16(structure));
        uint32_t size = read16(structure + 2);
        if (size < layout->smallest || size > left) {
            acpi_refuse(DMAR_NAME, offset + 2, size,
                        "impossible structure length; it and what follows are ignored");
            break;
        }
        uint32_t good = check_scopes(structure, size, layout);
        if (good < size) {
            acpi_refuse(
                DMAR_NAME, offset + good, size - good < 2 ? 0 : structure[good + 1],
                "impossible device scope length; its structure and what follows are ignored");
            break;
        }
        offset += size;
    }
    dmar->length = offset;
    return STATUS_OK;
}

bool dmar_next(const struct dmar *dmar, uint32_t *cursor, struct dmar_structure *structure)
{
    uint32_t offset = MAX(*cursor, DMAR_FIRST);
    if (dmar->bytes == NULL || offset > dmar->length || dmar->length - offset < HEADER_SIZE)
        return false;
    const uint8_t *bytes = dmar->bytes + offset;
    uint16_t type = read16(bytes);
    uint32_t length = read16(bytes + 2);
    const struct layout *layout = layout_of(type);
    if (length < layout->smallest || length > dmar->length - offset)
        return false;
    *structure = (struct dmar_structure){
        .offset = offset,
        .type = type,
        .length = length,
        .bytes = bytes,
        .segment = layout->segment != 0 ? read16(bytes + layout->segment) : 0,
        .flags = layout->flags != 0 ? bytes[layout->flags] : 0,
        .base = layout->base != 0 ? read64(bytes + layout->base) : 0,
        .limit = layout->limit != 0 ? read64(bytes + layout->limit) : 0,
        .size = layout->size != 0 ? PAGE_SIZE << (bytes[layout->size] & 15) : 0,
        .proximity = layout->proximity != 0 ? read32(bytes + layout->proximity) : 0,
        .device_number = layout->device_number != 0 ? bytes[layout->device_number] : 0,
        .scope_offset = layout->scopes ? layout->smallest : length,
    };
    if (layout->object_name != 0) {
        structure->name = (const char *)bytes + layout->object_name;
        structure->name_size = length - layout->object_name;
    }
    *cursor = offset + length;
    return true;
}

bool dmar_scope_next(const struct dmar *dmar, const struct dmar_structure *structure,
                     uint32_t *cursor, struct dmar_scope *scope)
{
    (void)dmar;
    uint32_t offset = MAX(*cursor, structure->scope_offset);
    if (offset >= structure->length)
        return false;
    const uint8_t *bytes = structure->bytes + offset;
    if (!scope_length_possible(bytes, structure->length - offset))
        return false;
    *scope = (struct dmar_scope){
        .offset = structure->offset + offset,
        .type = bytes[0],
        .flags = bytes[2],
        .enumeration_id = bytes[4],
        .start_bus = bytes[5],
        .path_length = (uint8_t)((bytes[1] - SCOPE_PATH) / 2),
        .path = bytes + SCOPE_PATH,
    };
    *cursor = offset + bytes[1];
    return true;
}

enum status dmar_scope_rid(const struct dmar_scope *scope, uint16_t segment,
                           int (*secondary_bus)(uint16_t segment, uint16_t rid, void *context),
                           void *context, uint16_t *rid)
{
    int bus = scope->start_bus;
    for (size_t hop = 0; hop < scope->path_length; hop++) {
        uint8_t device = scope->path[2 * hop], function = scope->path[2 * hop + 1];
        if (device > 31 || function > 7)
            return STATUS_INVALID;
        *rid = (uint16_t)(bus << 8 | device << 3 | function);
        if (hop + 1u == scope->path_length)
            return STATUS_OK;
        bus = secondary_bus(segment, *rid, context);
        if (bus < 0 || bus > 255)
            return STATUS_NOT_FOUND;
    }
    return STATUS_INVALID;
}
