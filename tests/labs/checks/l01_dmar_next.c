/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/acpi/dmar.c hypervisor/acpi/table.c
/* L1, step 1: one structure after the other. */
#include "tests/labs/checks/dmar_bench.h"

static struct dmar_structure one;
static uint32_t cursor;

static void expect_field(const char *name, uint64_t got, uint64_t wanted, const char *rule)
{
    expect(got == wanted, "%s at offset %#x: %s is %#llx, expected %#llx; %s",
           dmar_type_name(one.type), one.offset, name, (unsigned long long)got,
           (unsigned long long)wanted, rule);
}

static void next(unsigned type, const char *what)
{
    uint32_t before = cursor;
    asking("dmar_next() at offset %#x", before);
    expect(dmar_next(&dmar, &cursor, &one),
           "false before %s: the structures end at offset %#x of the table", what, dmar.length);
    expect(one.type == type,
           "type %u instead of %u (%s): the type is the first 16 bits of a structure (VT-d 8.2)",
           one.type, type, dmar_type_name((uint16_t)type));
    expect(
        cursor > before,
        "the cursor stays at %#x: the next call would give the same structure again, without end",
        cursor);
    uint32_t at = before < 48 ? 48 : before;
    unsigned length = copy[at + 2] | (unsigned)copy[at + 3] << 8;
    expect(one.length == length,
           "%s at offset %#x: its length is %#x, expected %#x; 16 bits at offset 2 (VT-d 8.2)",
           dmar_type_name(one.type), at, one.length, length);
    expect(cursor == one.offset + one.length,
           "the cursor is %#x behind a structure at %#x of %#x bytes: it goes on by the "
           "structure's own length",
           cursor, one.offset, one.length);
}

static void every_type(void)
{
    const unsigned segment = seeded("segment", 2, 200, 7);
    fresh_table();
    uint32_t begin = drhd(1, segment, 0x2fed90000);
    put_at(&table, begin + 5, 0x12, 1); /* bits 7:4 are reserved */
    scope(SCOPE_ENDPOINT, 0, 0, "0200");
    structure_end(begin);
    rmrr(segment, 0x27b800000, 0x27fffffff);
    rhsa(0xfbffc000, 5);
    andd(9, "\\_SB.I2C");
    begin = structure_begin(0x103); /* of a version to come, and longer than a byte can say */
    put(&table, 0x12345678, 4);
    put(&table, 0, 0x140);
    structure_end(begin);
    parse_table();
    cursor = 0;
    next(DMAR_DRHD, "the first structure");
    expect_field("offset", one.offset, 48,
                 "the structures begin behind the header of 48 bytes (VT-d 8.1)");
    expect_field("segment", one.segment, segment, "16 bits at offset 6 (VT-d 8.3)");
    expect_field("flags", one.flags, 1, "one byte at offset 4");
    expect_field("base", one.base, 0x2fed90000, "64 bits at offset 8");
    expect_field("size", one.size, 0x4000,
                 "4 KiB shifted left by the low four bits at offset 5 (VT-d 8.3)");
    expect_field("scope_offset", one.scope_offset, 16, "the scopes follow the fixed part");
    expect_field("limit", one.limit, 0,
                 "a DRHD has none: read a field only where the layout has it");
    next(DMAR_RMRR, "the RMRR");
    expect_field("base", one.base, 0x27b800000, "64 bits at offset 8 (VT-d 8.4)");
    expect_field("limit", one.limit, 0x27fffffff,
                 "64 bits at offset 16: the last byte, not the size");
    expect_field("segment", one.segment, segment, "16 bits at offset 6");
    expect_field("flags", one.flags, 0, "an RMRR has none");
    next(DMAR_RHSA, "the RHSA");
    expect_field("proximity", one.proximity, 5, "32 bits at offset 16 (VT-d 8.6)");
    expect_field("scope_offset", one.scope_offset, one.length,
                 "it has no scopes: they begin at its end");
    next(DMAR_ANDD, "the ANDD");
    expect_field("device_number", one.device_number, 9, "one byte at offset 7 (VT-d 8.7)");
    expect(one.name != NULL && one.name_size == 8 && memcmp(one.name, "\\_SB.I2C", 8) == 0,
           "ANDD: the name has %u bytes; it is what is left behind offset 8, and may have no "
           "terminator",
           one.name_size);
    expect_field("scope_offset", one.scope_offset, one.length,
                 "it has no scopes: they begin at its end");
    next(0x103, "a structure of an unknown type");
    expect_field("base", one.base, 0, "nothing is known of an unknown type but its length");
    expect_field("scope_offset", one.scope_offset, one.length, "nor of its scopes");
    asking("dmar_next() at the end");
    expect(!dmar_next(&dmar, &cursor, &one),
           "true at the end of the table: five structures, and a sixth was given");
}

/* As dmar_parse() would never leave it: an iterator does not trust its caller either. */
static void damaged(void)
{
    fresh_table();
    drhd(0, 0, 0xfed90000);
    drhd(0, 0, 0xfed91000);
    parse_table();
    copy[48 + 2] = 0;
    copy[48 + 3] = 0;
    cursor = 0;
    asking("dmar_next() with a structure of length 0");
    expect(!dmar_next(&dmar, &cursor, &one),
           "a structure of length 0 was accepted: the walk would never end");
    copy[48 + 2] = 15;
    cursor = 0;
    expect(!dmar_next(&dmar, &cursor, &one),
           "a DRHD of 15 bytes was accepted: its base ends at byte 16");
    copy[48 + 2] = 200;
    cursor = 0;
    expect(!dmar_next(&dmar, &cursor, &one),
           "a structure of 200 bytes was accepted, and the table ends before");
    cursor = dmar.length - 2;
    expect(!dmar_next(&dmar, &cursor, &one),
           "two bytes are left and a structure was read: its header alone has four");
    cursor = 0xfffffff0;
    expect(!dmar_next(&dmar, &cursor, &one), "a cursor far behind the end was followed");
    struct dmar none = {0};
    cursor = 0;
    expect(!dmar_next(&none, &cursor, &one), "a DMAR without bytes was read");
}

void lab_check(void)
{
    every_type();
    damaged();
}
