/* SPDX-License-Identifier: MIT */
// Any bytes as a DMAR table: everything handed out must lie inside, and the walk must end.
// SOURCES: hypervisor/acpi/dmar.c hypervisor/acpi/table.c
#include <stdlib.h>
#include <string.h>

#include "hypervisor/acpi/dmar.h"
#include "tests/fuzz/fuzz.h"

static int bridge(uint16_t segment, uint16_t rid, void *context)
{
    (void)segment;
    (void)context;
    return rid % 3 == 0 ? -1 : rid >> 8;
}

static uint32_t walk_scopes(const struct dmar *dmar, const struct dmar_structure *structure)
{
    uint32_t end = structure->scope_offset;
    struct dmar_scope scope;
    for (uint32_t cursor = 0; dmar_scope_next(dmar, structure, &cursor, &scope);) {
        uint16_t rid;
        fuzz_check(scope.path_length >= 1);
        fuzz_read(scope.path, 2u * scope.path_length);
        enum status status = dmar_scope_rid(&scope, structure->segment, bridge, NULL, &rid);
        fuzz_check(status == STATUS_OK || status == STATUS_INVALID || status == STATUS_NOT_FOUND);
        end += 6u + 2u * scope.path_length;
    }
    return end;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dmar dmar;
    if (dmar_parse(data, (uint32_t)size, &dmar) != STATUS_OK)
        return 0;
    fuzz_check(dmar.length <= size);
    uint32_t end = 48;
    struct dmar_structure structure;
    for (uint32_t cursor = 0; dmar_next(&dmar, &cursor, &structure);) {
        fuzz_check(structure.offset == end);
        fuzz_read(structure.bytes, structure.length);
        if (structure.name != NULL)
            fuzz_read(structure.name, structure.name_size);
        fuzz_check(walk_scopes(&dmar, &structure) == structure.length);
        end += structure.length;
    }
    fuzz_check(end == dmar.length);
    return 0;
}
