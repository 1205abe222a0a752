/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/acpi/dmar.c hypervisor/acpi/table.c
/* L1, step 2: the device scopes of a structure. */
#include "tests/labs/checks/dmar_bench.h"

static struct dmar_structure unit;
static struct dmar_scope one;
static uint32_t cursor;

static void next(const char *what)
{
    uint32_t before = cursor;
    asking("dmar_scope_next() with the cursor at %#x", before);
    expect(dmar_scope_next(&dmar, &unit, &cursor, &one),
           "false before %s: scopes end where the structure ends (%u bytes)", what, unit.length);
    expect(cursor > before, "the cursor stays at %#x: the same scope would come again, without end",
           cursor);
}

void lab_check(void)
{
    const unsigned bus = seeded("bus", 0x20, 0xf0, 0x80);
    fresh_table();
    uint32_t begin = drhd(0, 0, 0xfed90000);
    scope(SCOPE_IOAPIC, 2, 0xf0, "1f00");
    put_at(&table, begin + 16 + 2, 0x5a, 1);
    scope(SCOPE_BRIDGE, 0, bus, "1c0400010203");
    scope(SCOPE_ENDPOINT, 0, 0, "0200");
    structure_end(begin);
    drhd(1, 0, 0xfed91000); /* the next structure's bytes are none of this one's scopes */
    parse_table();
    uint32_t position = 0;
    expect(dmar_next(&dmar, &position, &unit), "dmar_next() gives no structure");
    cursor = 0;
    next("the first scope");
    expect(one.offset == 48 + 16,
           "the first scope is said to be at %#x of the table; it is at %#x, behind the DRHD's 16 "
           "bytes (scope_offset)",
           one.offset, 48 + 16);
    expect(one.type == SCOPE_IOAPIC, "type %u instead of 3: the first byte of a scope (VT-d 8.3.1)",
           one.type);
    expect(one.flags == 0x5a, "flags %#x instead of 0x5a: the byte at offset 2 (VT-d 8.8)",
           one.flags);
    expect(one.enumeration_id == 2, "enumeration id %u instead of 2: the byte at offset 4",
           one.enumeration_id);
    expect(one.start_bus == 0xf0, "start bus %#x instead of 0xf0: the byte at offset 5",
           one.start_bus);
    expect(one.path_length == 1, "%u hops instead of 1: (length - 6) / 2, as a hop is two bytes",
           one.path_length);
    expect(one.path[0] == 0x1f && one.path[1] == 0,
           "the path begins with %02x.%x instead of 1f.0: it is at offset 6", one.path[0],
           one.path[1]);
    next("the second scope");
    expect(one.type == SCOPE_BRIDGE && one.start_bus == bus,
           "the second scope has type %u and bus %#x instead of 2 and "
           "%#x: a scope is as long as its own length says",
           one.type, one.start_bus, bus);
    expect(one.path_length == 3, "%u hops instead of 3", one.path_length);
    next("the third scope");
    expect(one.type == SCOPE_ENDPOINT && one.path[0] == 2, "the third scope has type %u, device %u",
           one.type, one.path[0]);
    asking("dmar_scope_next() behind the last scope");
    expect(!dmar_scope_next(&dmar, &unit, &cursor, &one),
           "a fourth scope of type %u: there are three", one.type);
    const uint32_t whole = unit.length;
    unit.length -= 8;
    cursor = unit.length;
    expect(!dmar_scope_next(&dmar, &unit, &cursor, &one),
           "a third scope was given, and the structure ends before it: what follows is another "
           "structure's");
    cursor = 0xfffffff0;
    asking("dmar_scope_next() with the cursor far behind the structure's end");
    expect(!dmar_scope_next(&dmar, &unit, &cursor, &one),
           "a cursor far behind the structure's end was followed");
    unit.length = whole;

    static const struct {
        uint8_t length;
        const char *says;
    } wrong[] = {
        {0, "a scope of length 0 was accepted: the walk would never end"},
        {6, "a scope of 6 bytes was accepted: without a hop it names nothing (8 are the least)"},
        {9, "a scope of 9 bytes was accepted: half a hop"},
        {200, "a scope of 200 bytes was accepted, and its structure ends before"},
        {40, "a scope of 40 bytes was accepted, and of its structure's 44 bytes only 28 are left"}};
    for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
        copy[48 + 16 + 1] = wrong[i].length;
        cursor = 0;
        asking("dmar_scope_next() with a scope of length %u", wrong[i].length);
        expect(!dmar_scope_next(&dmar, &unit, &cursor, &one), "%s", wrong[i].says);
    }
}
