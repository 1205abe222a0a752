/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/acpi/dmar.c hypervisor/acpi/table.c hypervisor/base/status.c
/* L1, step 3: from a path to a requester id. */
#include "tests/labs/checks/check.h"
#include "hypervisor/acpi/dmar.h"
#include "tests/unit/support/host.h"

static unsigned asked, first_bus;
static uint16_t asked_for[8], asked_segment;

/* 00:1c.4 leads to the seeded bus, its 01.0 to the one behind it; nothing else is a bridge. */
static int behind(uint16_t segment, uint16_t rid, void *context)
{
    expect(context == &asked, "the context is not handed on to secondary_bus()");
    asked_segment = segment;
    if (asked < ARRAY_SIZE(asked_for))
        asked_for[asked] = rid;
    asked++;
    if (rid == (0x00 << 8 | 0x1c << 3 | 4))
        return (int)first_bus;
    if (rid == (first_bus << 8 | 0x01 << 3))
        return (int)first_bus + 1;
    return rid == 0xff00 ? 256 : -1;
}

static enum status follow(const char *path, uint8_t start, uint8_t hops, uint16_t *rid)
{
    uint8_t bytes[16];
    for (size_t i = 0; i < 2u * hops; i++)
        bytes[i] = (uint8_t)path[i];
    struct dmar_scope scope = {
        .type = SCOPE_BRIDGE, .start_bus = start, .path_length = hops, .path = bytes};
    asked = 0;
    asking("dmar_scope_rid() with %u hops", hops);
    return dmar_scope_rid(&scope, 3, behind, &asked, rid);
}

static void refused(enum status got, enum status wanted, const char *what, const char *taken)
{
    const char *name = wanted == STATUS_INVALID ? "STATUS_INVALID" : "STATUS_NOT_FOUND";
    expect(got != STATUS_OK, "%s, and %s (%s)", what, taken, name);
    expect(got == wanted, "%s: the status is \"%s\", expected %s", what, status_name(got), name);
}

void lab_check(void)
{
    uint16_t rid = 0;
    first_bus = seeded("bus", 2, 0x70, 5);
    expect(follow("\x1f\x03", 0xf0, 1, &rid) == STATUS_OK, "a path of one hop was refused");
    expect(rid == 0xf0fb,
           "f0:1f.3 came out as %02x:%02x.%x: start bus, then 5 bits of device and 3 of function",
           rid >> 8, rid >> 3 & 31, rid & 7);
    expect(asked == 0, "secondary_bus() was asked of the last hop: it is the device itself, and "
                       "need not be a bridge");
    enum status status = follow("\x1c\x04\x01\x00\x02\x03", 0, 3, &rid);
    expect(asked < 2 || asked_for[1] >> 8 == first_bus,
           "the second hop was looked for on bus %02x, and 00:1c.4, the first, leads to bus %02x: "
           "each hop's bus is the "
           "secondary bus of the bridge before it",
           asked_for[1] >> 8, first_bus);
    expect(status == STATUS_OK, "a path of three hops was refused");
    expect(rid != (0x1c << 3 | 4),
           "the path has 3 hops and 00:1c.4, the first of them, was given: only the last one is "
           "what the scope names");
    unsigned wanted = (first_bus + 1) << 8 | 0x02 << 3 | 3;
    expect(rid == wanted,
           "00:1c.4/01.0/02.3 came out as %02x:%02x.%x, expected %02x:02.3: each hop's bus is the "
           "secondary "
           "bus of the bridge before it",
           rid >> 8, rid >> 3 & 31, rid & 7, first_bus + 1);
    expect(asked == 2 && asked_for[1] == (first_bus << 8 | 0x01 << 3),
           "secondary_bus() was asked %u times; three hops lead over two bridges", asked);
    expect(asked_segment == 3, "secondary_bus() was asked in segment %u instead of 3",
           asked_segment);
    refused(follow("\x03\x00\x01\x00", 0, 2, &rid), STATUS_NOT_FOUND, "00:03.0 is not a bridge",
            "the path over it was followed");
    refused(follow("\x00\x00\x01\x00", 0xff, 2, &rid), STATUS_NOT_FOUND,
            "secondary_bus() gives 256, and buses end at 255", "the path was followed");
    refused(follow("\x20\x00", 0, 1, &rid), STATUS_INVALID, "devices are 0 to 31",
            "device 32 was accepted");
    refused(follow("\x01\x08", 0, 1, &rid), STATUS_INVALID, "functions are 0 to 7",
            "function 8 was accepted");
    refused(follow("", 0, 0, &rid), STATUS_INVALID, "the path has no hops", "it was accepted");
}
