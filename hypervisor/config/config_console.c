/* SPDX-License-Identifier: MIT */
#include "hypervisor/config/config_console.h"

#include "hypervisor/base/string.h"
#include "hypervisor/config/config_parser.h"

#define OPTION "console="

static const struct {
    const char *name;
    struct config_console console;
} names[] = {
    {"auto", {.kind = CONSOLE_AUTO}},
    {"none", {.kind = CONSOLE_NONE}},
    {"com1", {.kind = CONSOLE_PORT, .port = 0x3f8}},
    {"com2", {.kind = CONSOLE_PORT, .port = 0x2f8}},
    {"com3", {.kind = CONSOLE_PORT, .port = 0x3e8}},
    {"com4", {.kind = CONSOLE_PORT, .port = 0x2e8}},
};

/* What stands behind `prefix`; false without it. */
static bool strip(struct word word, const char *prefix, struct word *rest)
{
    size_t length = strlen(prefix);
    if (word.length <= length || memcmp(word.start, prefix, length) != 0)
        return false;
    *rest = (struct word){word.start + length, word.length - length};
    return true;
}

/* ADDRESS[,STRIDE] */
static bool read_memory(struct word word, struct config_console *console)
{
    struct word address = word;
    uint64_t stride = 1;
    for (size_t i = 0; i < word.length; i++) {
        if (word.start[i] != ',')
            continue;
        address.length = i;
        if (!word_number((struct word){word.start + i + 1, word.length - i - 1}, &stride))
            return false;
        break;
    }
    console->kind = CONSOLE_MEMORY;
    if (!word_number(address, &console->address) || console->address == 0 ||
        console->address >= BIT(52) || (stride != 1 && stride != 2 && stride != 4) ||
        console->address % stride != 0)
        return false;
    console->stride = (uint8_t)stride;
    return true;
}

bool config_console_read(const char *text, size_t size, struct config_console *console)
{
    const struct word word = {text, size};
    struct config_console read = {.kind = CONSOLE_PCI};
    struct word rest;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (!word_is(word, names[i].name))
            continue;
        *console = names[i].console;
        return true;
    }
    bool good = strip(word, "mmio:", &rest)
                    ? read_memory(rest, &read)
                    : strip(word, "pci:", &rest) && word_function(rest, &read.rid);
    if (good)
        *console = read;
    return good;
}

bool config_console_find(const char *command_line, struct config_console *console)
{
    bool found = false;
    for (const char *at = command_line; *at != '\0';) {
        size_t length = 0;
        while (at[length] != '\0' && !is_blank(at[length]))
            length++;
        struct word value;
        if (strip((struct word){at, length}, OPTION, &value) &&
            config_console_read(value.start, value.length, console))
            found = true;
        at += length;
        while (is_blank(*at))
            at++;
    }
    return found;
}
