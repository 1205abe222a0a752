/* SPDX-License-Identifier: MIT */
// clang-format off
// SOURCES: hypervisor/acpi/dmar.c hypervisor/acpi/table.c hypervisor/base/string.c
// UNWIND: 6
// BOUND: any table of up to 64 bytes, walked to its end
// PLANT: hypervisor/acpi/dmar.c ==> .scope_offset = layout->scopes ? layout->smallest : length, ==> .scope_offset = layout->smallest,
// clang-format on
/* What the parser found well-formed is walked without a gap: structures follow each other up to the
 * end, and the device scopes of each fill it from its first scope on. */
#include "hypervisor/acpi/dmar.h"
#include "tests/prove/prove.h"

int main(void)
{
    uint8_t table[64];
    uint32_t length = nondet_uint32();
    struct dmar dmar;
    struct dmar_structure structure;
    struct dmar_scope scope;
    ANY(table);
    ASSUME(length <= sizeof table);
    if (dmar_parse(table, length, &dmar) != STATUS_OK)
        return 0;
    uint32_t cursor = 0, expected = 48;
    while (dmar_next(&dmar, &cursor, &structure)) {
        CLAIM(structure.offset == expected);
        expected += structure.length;
        CLAIM(expected <= dmar.length && cursor == expected);
        uint32_t scope_cursor = 0, next = structure.offset + structure.scope_offset;
        while (dmar_scope_next(&dmar, &structure, &scope_cursor, &scope)) {
            CLAIM(scope.offset == next && scope.path_length >= 1);
            next += 6u + 2u * scope.path_length;
        }
        CLAIM(next == expected);
    }
    CLAIM(expected == dmar.length);
    return 0;
}
