/* SPDX-License-Identifier: MIT */
/* The boot information that a Multiboot2 loader leaves in memory (Multiboot2 1.6, section 3.6). */
#pragma once

#include "hypervisor/base/core.h"

enum multiboot2_tag_type {
    TAG_END = 0,
    TAG_COMMAND_LINE = 1,
    TAG_MODULE = 3,
    TAG_MEMORY_MAP = 6,
    TAG_FRAMEBUFFER = 8,
    TAG_RSDP_OLD = 14, /* a copy of an ACPI 1.0 RSDP */
    TAG_RSDP_NEW = 15, /* a copy of an ACPI 2.0 RSDP */
};

enum multiboot2_memory_type {
    MULTIBOOT2_USABLE = 1,
    MULTIBOOT2_ACPI = 3,
    MULTIBOOT2_NVS = 4,
    MULTIBOOT2_SPECIAL = 0xefffffff, /* "soft reserved": EFI_MEMORY_SP in an E820 map */
};

struct multiboot2_information {
    uint32_t total_size; /* 0: bytes, this header included */
    uint32_t reserved;   /* 4 */
};
_Static_assert(sizeof(struct multiboot2_information) == 8, "Multiboot2 3.6.2");

struct multiboot2_tag {
    uint32_t type; /* 0 */
    uint32_t size; /* 4: bytes, this header included; the next tag begins at a multiple of 8 */
};
_Static_assert(sizeof(struct multiboot2_tag) == 8, "Multiboot2 3.6.2");

struct multiboot2_module {
    struct multiboot2_tag tag;
    uint32_t start; /* 8: physical address */
    uint32_t end;   /* 12: past the last byte */
    /* 16: command line, zero-terminated */
};
_Static_assert(sizeof(struct multiboot2_module) == 16, "Multiboot2 3.6.6");

struct multiboot2_memory_map {
    struct multiboot2_tag tag;
    uint32_t entry_size;    /* 8 */
    uint32_t entry_version; /* 12 */
};
_Static_assert(sizeof(struct multiboot2_memory_map) == 16, "Multiboot2 3.6.8");

struct multiboot2_memory_entry {
    uint64_t base;     /* 0 */
    uint64_t size;     /* 8 */
    uint32_t type;     /* 16 */
    uint32_t reserved; /* 20 */
};
_Static_assert(sizeof(struct multiboot2_memory_entry) == 24, "Multiboot2 3.6.8");

struct multiboot2_framebuffer {
    struct multiboot2_tag tag;
    uint64_t address;       /* 8 */
    uint32_t pitch;         /* 16: bytes a line */
    uint32_t width;         /* 20 */
    uint32_t height;        /* 24 */
    uint8_t bits_per_pixel; /* 28 */
    uint8_t type;           /* 29: 1 is direct colour */
    uint16_t reserved;      /* 30 */
    uint8_t red_position;   /* 32 */
    uint8_t red_size;       /* 33 */
    uint8_t green_position; /* 34 */
    uint8_t green_size;     /* 35 */
    uint8_t blue_position;  /* 36 */
    uint8_t blue_size;      /* 37 */
    uint8_t padding[2];
};
_Static_assert(offsetof(struct multiboot2_framebuffer, red_position) == 32, "Multiboot2 3.6.12");
#define MULTIBOOT2_FRAMEBUFFER_RGB  1
#define MULTIBOOT2_FRAMEBUFFER_TEXT 2
#define MULTIBOOT2_FRAMEBUFFER_SIZE 38 /* bytes that a direct colour tag has at least */
