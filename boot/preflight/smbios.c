/* SPDX-License-Identifier: MIT */
/* Who made the machine and its firmware (SMBIOS 3, 7.1 to 7.3): a report is of use to others only
 * with that. Serial numbers and UUIDs are left out. */
#include "boot/preflight/preflight.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"

#define TYPE_FIRMWARE 0
#define TYPE_SYSTEM   1
#define TYPE_BOARD    2
#define TYPE_END      127
#define HEADER        4u
#define QUOTED        96

struct structure {
    const uint8_t *bytes;
    size_t formatted; /* bytes before the strings */
    size_t size;      /* with them */
};

/* Strings follow the formatted part, each ended by 0, all by another 0 (6.1.3). */
static bool next(const uint8_t *bytes, size_t size, size_t *at, struct structure *structure)
{
    if (size - *at < HEADER + 2 || bytes[*at + 1] < HEADER || bytes[*at + 1] > size - *at - 2)
        return false;
    size_t end = *at + bytes[*at + 1];
    while (end + 2 <= size && (bytes[end] != 0 || bytes[end + 1] != 0))
        end++;
    if (end + 2 > size)
        return false;
    *structure = (struct structure){bytes + *at, bytes[*at + 1], end + 2 - *at};
    *at = end + 2;
    return true;
}

static struct text {
    char text[QUOTED];
} string_at(const struct structure *structure, size_t offset)
{
    struct text result = {.text = ""};
    unsigned wanted = offset < structure->formatted ? structure->bytes[offset] : 0;
    size_t at = structure->formatted;
    for (unsigned number = 1; wanted != 0 && at < structure->size; number++) {
        size_t end = at;
        while (end < structure->size && structure->bytes[end] != 0)
            end++;
        if (number == wanted)
            quote_text(result.text, sizeof result.text, (const char *)structure->bytes + at,
                       end - at);
        at = number == wanted ? structure->size : end + 1;
    }
    return result;
}

void preflight_machine(const uint8_t *bytes, size_t size)
{
    struct structure structure;
    for (size_t at = 0; next(bytes, size, &at, &structure) && structure.bytes[0] != TYPE_END;) {
        if (structure.bytes[0] == TYPE_FIRMWARE)
            log_event("machine.firmware", "vendor=\"%s\" version=\"%s\" date=\"%s\"",
                      string_at(&structure, 4).text, string_at(&structure, 5).text,
                      string_at(&structure, 8).text);
        else if (structure.bytes[0] == TYPE_SYSTEM)
            log_event("machine.system", "vendor=\"%s\" product=\"%s\" version=\"%s\"",
                      string_at(&structure, 4).text, string_at(&structure, 5).text,
                      string_at(&structure, 6).text);
        else if (structure.bytes[0] == TYPE_BOARD)
            log_event("machine.board", "vendor=\"%s\" product=\"%s\" version=\"%s\"",
                      string_at(&structure, 4).text, string_at(&structure, 5).text,
                      string_at(&structure, 6).text);
    }
}
