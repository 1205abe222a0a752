/* SPDX-License-Identifier: MIT */
#include "boot/efi/root_windows.h"

/* QWORD address space descriptor (ACPI 6.4.3.5.1). Little-endian, at any alignment. */
struct PACKED descriptor {
    uint8_t tag;          /* 0x00 */
    uint16_t length;      /* 0x01 what follows */
    uint8_t type;         /* 0x03 */
    uint8_t flags;        /* 0x04 */
    uint8_t type_flags;   /* 0x05 */
    uint64_t granularity; /* 0x06 32 or 64 */
    uint64_t first;       /* 0x0e */
    uint64_t last;        /* 0x16 */
    uint64_t translation; /* 0x1e */
    uint64_t size;        /* 0x26 bytes, or buses */
};
_Static_assert(sizeof(struct descriptor) == ROOT_DESCRIPTOR, "ACPI 6.4.3.5.1");
_Static_assert(offsetof(struct descriptor, first) == 0x0e, "ACPI 6.4.3.5.1");
_Static_assert(offsetof(struct descriptor, size) == 0x26, "ACPI 6.4.3.5.1");

#define TAG_QWORD    0x8a
#define TAG_END      0x79
#define QWORD_LENGTH 0x2b
#define TYPE_MEMORY  0
#define TYPE_BUS     2
#define PREFETCHABLE 0x06 /* both bits of the cacheability (ACPI 6.4.3.5.5) */

static bool add_window(const struct descriptor *from, struct boot_info *info)
{
    if (info->root_window_count == BOOT_MAX_ROOT_WINDOWS)
        return false;
    bool whole = from->last >= from->first && from->last - from->first == from->size - 1;
    info->root_windows[info->root_window_count++] = (struct boot_root_window){
        .base = from->first,
        .size = from->size,
        .root = info->root_count - 1,
        .flags =
            ((from->type_flags & PREFETCHABLE) == PREFETCHABLE ? BOOT_WINDOW_PREFETCHABLE : 0u) |
            (from->translation != 0 ? BOOT_WINDOW_TRANSLATED : 0u) |
            (whole ? 0u : BOOT_WINDOW_CONTRADICTORY),
    };
    return true;
}

bool root_windows_read(const uint8_t *bytes, size_t size, uint16_t segment, struct boot_info *info)
{
    if (info->root_count == BOOT_MAX_ROOTS)
        return false;
    struct boot_root *root = &info->roots[info->root_count++];
    *root = (struct boot_root){.segment = segment};
    for (size_t at = 0; at < size; at += ROOT_DESCRIPTOR) {
        const struct descriptor *descriptor = (const void *)(bytes + at);
        if (bytes[at] == TAG_END)
            return true;
        if (bytes[at] != TAG_QWORD || size - at < ROOT_DESCRIPTOR ||
            descriptor->length != QWORD_LENGTH)
            return false;
        if (descriptor->size == 0)
            continue;
        if (descriptor->type == TYPE_BUS && descriptor->first <= 0xff &&
            descriptor->size <= 0x100 - descriptor->first) {
            root->first_bus = (uint8_t)descriptor->first;
            root->last_bus = (uint8_t)(descriptor->first + descriptor->size - 1);
        } else if (descriptor->type == TYPE_MEMORY && !add_window(descriptor, info)) {
            return false;
        }
    }
    return false;
}

void root_window_reach(struct boot_info *info, uint32_t index, uint64_t base, uint64_t end)
{
    struct boot_root_window *window = &info->root_windows[index];
    for (uint32_t i = 0; i < info->root_window_count; i++) {
        const struct boot_root_window *other = &info->root_windows[i];
        uint64_t other_end = other->base + other->size;
        if (other->root == window->root || other_end < other->base)
            continue;
        if (other_end <= window->base)
            base = MAX(base, other_end);
        if (other->base >= window->base + window->size)
            end = MIN(end, other->base);
    }
    if (base > window->base || end < window->base + window->size)
        return;
    window->reach_base = base;
    window->reach_size = end - base;
}
