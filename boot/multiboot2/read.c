/* SPDX-License-Identifier: MIT */
#include "boot/multiboot2/convert.h"
#include "boot/multiboot2/tags.h"
#include "boot/ranges.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/string.h"

static void complain(struct boot_info *info, const char *message, const char *what)
{
    if (info->message[0] == '\0')
        format_text(info->message, sizeof info->message, "multiboot2: %s%s", message, what);
}

/* Copies the bytes up to a zero or the tag's end. */
static void copy_string(char *destination, size_t room, const char *source, size_t size)
{
    size_t length = 0;
    while (length < size && length + 1 < room && source[length] != '\0')
        length++;
    memcpy(destination, source, length);
    destination[length] = '\0';
}

static bool ends_in(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && memcmp(text + length - end_length, end, end_length) == 0;
}

/* The first word of a module's command line, without directories. */
static void module_name(char name[BOOT_NAME_SIZE], const char *line, size_t size)
{
    size_t start = 0, end = 0;
    for (; end < size && line[end] != '\0' && line[end] != ' '; end++) {
        if (line[end] == '/')
            start = end + 1;
    }
    copy_string(name, BOOT_NAME_SIZE, line + start, end - start);
}

static void read_module(const struct multiboot2_module *tag, struct boot_info *info,
                        struct range_list *ranges)
{
    char name[BOOT_NAME_SIZE];
    module_name(name, (const char *)(tag + 1), tag->tag.size - sizeof *tag);
    if (tag->end < tag->start || !IS_ALIGNED(tag->start, PAGE_SIZE)) {
        complain(info, "module left out, its address is not on a page: ", name);
        return;
    }
    uint64_t size = tag->end - tag->start;
    ranges_set(ranges, tag->start, size, BOOT_MEMORY_LOADER);
    if (text_equal(name, "batch")) {
        info->flags |= BOOT_FLAG_BATCH;
    } else if (ends_in(name, ".conf") && info->config_name[0] == '\0') {
        info->config_base = tag->start;
        info->config_size = size;
        text_copy(info->config_name, sizeof info->config_name, name);
    } else if (name[0] == '\0') {
        complain(info, "module left out, its command line gives no name", "");
    } else if (info->module_count == BOOT_MAX_MODULES) {
        complain(info, "module left out, there are too many: ", name);
    } else {
        struct boot_module *module = &info->modules[info->module_count++];
        module->base = tag->start;
        module->size = size;
        text_copy(module->name, sizeof module->name, name);
    }
}

static enum boot_memory_type memory_type(uint32_t type)
{
    switch (type) {
    case MULTIBOOT2_USABLE:
        return BOOT_MEMORY_USABLE;
    case MULTIBOOT2_ACPI:
        return BOOT_MEMORY_ACPI;
    case MULTIBOOT2_NVS:
        return BOOT_MEMORY_NVS;
    case MULTIBOOT2_SPECIAL:
        return BOOT_MEMORY_SPECIAL;
    default:
        return BOOT_MEMORY_RESERVED;
    }
}

/* Firmware's maps overlap at times: what is free first, so that the rest overrides it. */
static void read_memory_map(const struct multiboot2_memory_map *map, struct boot_info *info,
                            struct range_list *ranges)
{
    if (map->entry_size < sizeof(struct multiboot2_memory_entry)) {
        complain(info, "memory map entries are too small", "");
        return;
    }
    size_t count = (map->tag.size - sizeof *map) / map->entry_size;
    for (unsigned pass = 0; pass < 2; pass++) {
        const uint8_t *place = (const uint8_t *)(map + 1);
        for (size_t i = 0; i < count; i++, place += map->entry_size) {
            struct multiboot2_memory_entry entry;
            memcpy(&entry, place, sizeof entry);
            enum boot_memory_type type = memory_type(entry.type);
            bool free = type == BOOT_MEMORY_USABLE || type == BOOT_MEMORY_SPECIAL;
            if (free == (pass == 0))
                ranges_set(ranges, entry.base, entry.size, type);
        }
    }
}

/* 0 for bits that a pixel does not have. */
static uint32_t mask(uint8_t position, uint8_t size)
{
    return position + size <= 32 ? (uint32_t)(((UINT64_C(1) << size) - 1) << position) : 0;
}

static void read_framebuffer(const struct multiboot2_framebuffer *tag, struct boot_info *info)
{
    struct boot_framebuffer *found = &info->framebuffer;
    if (tag->type == MULTIBOOT2_FRAMEBUFFER_TEXT) {
        text_copy(found->problem, sizeof found->problem, "the loader left the screen in text mode");
        return;
    }
    if (tag->type != MULTIBOOT2_FRAMEBUFFER_RGB || tag->bits_per_pixel != 32) {
        format_text(found->problem, sizeof found->problem,
                    "its pixels are of type %u with %u bits, not direct colours with 32", tag->type,
                    tag->bits_per_pixel);
        return;
    }
    found->red = mask(tag->red_position, tag->red_size);
    found->green = mask(tag->green_position, tag->green_size);
    found->blue = mask(tag->blue_position, tag->blue_size);
    bool bytes = found->green == 0xff00;
    found->format = bytes && found->red == 0xff0000 && found->blue == 0xff ? BOOT_FRAMEBUFFER_BGRX
                    : bytes && found->red == 0xff && found->blue == 0xff0000
                        ? BOOT_FRAMEBUFFER_RGBX
                        : BOOT_FRAMEBUFFER_MASKS;
    info->framebuffer.base = tag->address;
    info->framebuffer.size = (uint64_t)tag->pitch * tag->height;
    info->framebuffer.width = tag->width;
    info->framebuffer.height = tag->height;
    info->framebuffer.stride = tag->pitch;
}

static size_t least_size(uint32_t type)
{
    switch (type) {
    case TAG_MODULE:
        return sizeof(struct multiboot2_module);
    case TAG_MEMORY_MAP:
        return sizeof(struct multiboot2_memory_map);
    case TAG_FRAMEBUFFER:
        return sizeof(struct multiboot2_tag); /* the text mode's tag is short: checked by type */
    case TAG_RSDP_OLD:
        return sizeof(struct multiboot2_tag) + 20;
    case TAG_RSDP_NEW:
        return sizeof(struct multiboot2_tag) + 36;
    default:
        return sizeof(struct multiboot2_tag);
    }
}

/* What pass this tag's turn is in: the memory map first, then our own pieces of that memory. */
static bool is_turn(uint32_t type, unsigned pass)
{
    return (type == TAG_MEMORY_MAP) == (pass == 0);
}

static void read_tag(const struct multiboot2_tag *tag, uint64_t physical, struct boot_info *info,
                     struct range_list *ranges)
{
    switch (tag->type) {
    case TAG_COMMAND_LINE:
        copy_string(info->command_line, sizeof info->command_line, (const char *)(tag + 1),
                    tag->size - sizeof *tag);
        break;
    case TAG_MODULE:
        read_module((const struct multiboot2_module *)tag, info, ranges);
        break;
    case TAG_MEMORY_MAP:
        read_memory_map((const struct multiboot2_memory_map *)tag, info, ranges);
        break;
    case TAG_FRAMEBUFFER:
        if (tag->size >= MULTIBOOT2_FRAMEBUFFER_SIZE)
            read_framebuffer((const struct multiboot2_framebuffer *)tag, info);
        break;
    case TAG_RSDP_NEW:
        info->rsdp = physical + sizeof *tag;
        break;
    case TAG_RSDP_OLD:
        if (info->rsdp == 0)
            info->rsdp = physical + sizeof *tag;
        break;
    default:
        break;
    }
}

void multiboot2_read(const void *information, size_t size, uint64_t physical,
                     struct boot_info *info)
{
    struct range_list ranges = {.ranges = info->ranges, .capacity = BOOT_MAX_RANGES};
    for (unsigned pass = 0; pass < 2; pass++) {
        size_t offset = sizeof(struct multiboot2_information);
        while (offset + sizeof(struct multiboot2_tag) <= size) {
            const struct multiboot2_tag *tag =
                (const void *)((const uint8_t *)information + offset);
            if (tag->type == TAG_END)
                break;
            if (tag->size < least_size(tag->type) || tag->size > size - offset) {
                complain(info, "a tag has an impossible size", "");
                break;
            }
            if (is_turn(tag->type, pass))
                read_tag(tag, physical + offset, info, &ranges);
            offset += ALIGN_UP(tag->size, (size_t)8);
        }
        if (pass == 0) {
            if (ranges.count == 0)
                complain(info, "the boot loader gave no memory map", "");
            ranges_set(&ranges, 0, PAGE_SIZE, BOOT_MEMORY_RESERVED); /* address 0 means "none" */
            ranges_set(&ranges, info->image_base, info->image_size, BOOT_MEMORY_IMAGE);
            ranges_set(&ranges, physical, size, BOOT_MEMORY_LOADER);
        }
    }
    if (ranges.full)
        complain(info, "the memory map has more ranges than fit; the rest is not used", "");
    info->range_count = ranges.count;
}
