/* SPDX-License-Identifier: MIT */
// clang-format off
// SOURCES: hypervisor/acpi/dmar.c hypervisor/acpi/table.c hypervisor/base/string.c
// UNWIND: 3
// BOUND: any 256 bytes, any cursor, no parse before: one step of each iterator
// PLANT: hypervisor/acpi/dmar.c ==> if (length < layout->smallest || length > dmar->length - offset) ==> if (length < layout->smallest || length > dmar->length)
// clang-format on
/* An iterator takes one step from wherever its cursor is, reads inside the table only and always
 * gets on, so that every walk ends. */
#include "hypervisor/acpi/dmar.h"
#include "tests/prove/prove.h"

int main(void)
{
    uint8_t table[256];
    struct dmar dmar = {.bytes = table, .length = nondet_uint32()};
    struct dmar_structure structure;
    struct dmar_scope scope;
    ANY(table);
    ASSUME(dmar.length <= sizeof table);
    uint32_t cursor = nondet_uint32(), before = cursor;
    if (!dmar_next(&dmar, &cursor, &structure))
        return 0;
    CLAIM(cursor > before && cursor <= dmar.length);
    CLAIM(structure.bytes == table + structure.offset);
    uint32_t scope_cursor = nondet_uint32(), scope_before = scope_cursor;
    if (!dmar_scope_next(&dmar, &structure, &scope_cursor, &scope))
        return 0;
    CLAIM(scope_cursor > scope_before && scope_cursor <= structure.length);
    CLAIM(scope.path + 2 * scope.path_length <= structure.bytes + structure.length);
    return 0;
}
