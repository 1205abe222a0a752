/* SPDX-License-Identifier: MIT */
/*
 * A kernel for Multiboot 1 that says on the serial line what the loader told it, and ends with a
 * status through port 0xf4, as kernels made for testing do:
 *
 *   exit=N       the status
 *   touch=A      reads the byte at address A first
 *   talk=1       answers what is typed on the serial line, until it is told to end
 */
#include "guest/multiboot/talk.h"

#include <stdbool.h>
#include <stddef.h>

#define LOADED          0x2badb002u
#define PORT_EXIT       0xf4
#define INFO_MEMORY     0x001u
#define INFO_LINE       0x004u
#define INFO_MODULES    0x008u
#define INFO_MEMORY_MAP 0x040u
#define RAM             1

struct info {
    uint32_t flags, lower, upper, boot_device, line, module_count, modules, symbols[4];
    uint32_t map_length, map, drives_length, drives, configuration, loader_name;
};

struct module {
    uint32_t start, end, string, reserved;
};

struct range {
    uint32_t size;
    uint64_t base, length;
    uint32_t type;
} __attribute__((packed));

void kernel_main(uint32_t magic, const struct info *info);

static void out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static const char *text_at(uint32_t address)
{
    return (const char *)(uintptr_t)address;
}

/* The number behind `key` on the command line, in decimal; `otherwise` when it is not there. */
static uint32_t option(const char *line, const char *key, uint32_t otherwise)
{
    for (; *line != '\0'; line++) {
        size_t length = 0;
        while (key[length] != '\0' && line[length] == key[length])
            length++;
        if (key[length] != '\0')
            continue;
        uint32_t value = 0;
        for (const char *digit = line + length; *digit >= '0' && *digit <= '9'; digit++)
            value = value * 10 + (uint32_t)(*digit - '0');
        return value;
    }
    return otherwise;
}

static void say_modules(const struct info *info)
{
    const struct module *module = (const struct module *)(uintptr_t)info->modules;
    for (uint32_t i = 0; i < info->module_count; i++) {
        say("module ");
        say(text_at(module[i].string));
        say(module[i].start % 4096 == 0 ? " on a page, " : " on no page, ");
        say_number(module[i].end - module[i].start);
        say(" bytes: ");
        for (const char *byte = text_at(module[i].start);
             byte < text_at(module[i].end) && *byte >= ' ' && *byte <= '~'; byte++)
            put(*byte);
        say("\n");
    }
}

/* The modules' bytes as they are, so often; 0: not at all. */
static void send_modules(const struct info *info, uint32_t times)
{
    const struct module *module = (const struct module *)(uintptr_t)info->modules;
    for (; times > 0; times--)
        for (uint32_t i = 0; i < info->module_count; i++)
            for (const char *byte = text_at(module[i].start); byte < text_at(module[i].end); byte++)
                put(*byte);
}

static void count_lines(uint32_t lines)
{
    for (uint32_t i = 0; i < lines; i++) {
        say(i == 0 ? "line " : "\nline ");
        say_number(i);
    }
}

/* KiB of memory, by the map. */
static uint32_t say_map(const struct info *info)
{
    uint64_t all = 0;
    for (uint32_t at = 0; at < info->map_length;) {
        const struct range *range = (const struct range *)(uintptr_t)(info->map + at);
        if (range->type == RAM)
            all += range->length >> 10;
        at += range->size + (uint32_t)sizeof range->size;
    }
    return (uint32_t)all;
}

void kernel_main(uint32_t magic, const struct info *info)
{
    const uint32_t needed = INFO_MEMORY | INFO_LINE | INFO_MODULES | INFO_MEMORY_MAP;
    if (magic != LOADED || (info->flags & needed) != needed) {
        say("not loaded as Multiboot demands\n");
        out32(PORT_EXIT, 127);
    }
    say("loaded by ");
    say(text_at(info->loader_name));
    say(": ");
    say(text_at(info->line));
    say("\nmemory: ");
    say_number(info->lower);
    say("K low, ");
    say_number(info->upper);
    say("K high, ");
    say_number(say_map(info));
    say("K by the map\n");
    say_modules(info);
    const char *line = text_at(info->line);
    uint32_t place = option(line, "touch=", 0);
    if (place != 0) {
        say("touching\n");
        (void)*(volatile const uint8_t *)(uintptr_t)place;
    }
    send_modules(info, option(line, "send=", 0));
    count_lines(option(line, "lines=", 0));
    if (option(line, "stay=", 0) != 0)
        for (;;)
            ;
    uint32_t status = option(line, "exit=", 0);
    if (option(line, "talk=", 0) != 0)
        status = talk();
    out32(PORT_EXIT, status);
}
