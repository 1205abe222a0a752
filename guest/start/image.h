/* SPDX-License-Identifier: MIT */
/*
 * Guest images, told apart by their first bytes. PVH: a 32- or 64-bit ELF with the
 * XEN_ELFNOTE_PHYS32_ENTRY note. Linux: a bzImage with a 64-bit entry (Linux x86 boot protocol 2.12
 * or later). Multiboot: a file with a header of version 1, when it has no PVH note. The parsers
 * work on bytes (host-tested, fuzzed); loading copies.
 */
#pragma once

#include "hypervisor/base/core.h"

#define IMAGE_MAX_SEGMENTS 16

enum image_kind { IMAGE_PVH, IMAGE_LINUX, IMAGE_MULTIBOOT };

struct image {
    enum image_kind kind;
    uint32_t entry; /* guest-physical; 64-bit mode for Linux, else 32-bit protected mode */
    uint32_t segment_count;
    struct image_segment {
        uint64_t address; /* guest-physical (p_paddr) */
        uint64_t file_offset, file_size;
        uint64_t memory_size; /* zero-filled beyond file_size */
    } segments[IMAGE_MAX_SEGMENTS];
    uint32_t setup_size;   /* Linux: the setup header, to be copied to the boot parameters */
    uint64_t initrd_limit; /* one past the highest address of a RAM disk or module; 0: takes none */
    const char *problem;   /* set on failure: what is wrong with which field */
    uint64_t problem_offset, problem_value;
};

#define IMAGE_SETUP_HEADER 0x1f1 /* offset of the setup header in file and boot parameters */

/* STATUS_INVALID (of no kind, truncated, overlapping or wrapping segments), STATUS_UNSUPPORTED (not
 * x86, no entry that is understood). `memory` is the guest's size in
 * bytes: every segment must fit below it and outside [reserved_base, reserved_end), where tables
 * and stub lie. */
MUST_CHECK enum status image_parse(const void *bytes, size_t size, uint64_t memory,
                                   uint64_t reserved_base, uint64_t reserved_end,
                                   struct image *image);

/* image_linux.c, for image_parse(): does the file begin as a bzImage does? And its setup header. */
bool image_is_linux(const uint8_t *bytes, size_t size);
MUST_CHECK enum status image_parse_linux(const uint8_t *bytes, size_t size, uint64_t memory,
                                         struct image *image);
/* image_multiboot.c, for image_parse(): is there a header, and where? Then what it demands, and the
 * segment that it describes itself; without one STATUS_OK and what the ELF file said stays. */
bool image_find_multiboot(const uint8_t *bytes, size_t size, uint64_t *offset);
struct image_limits {
    uint64_t memory, reserved_base, reserved_end;
};
MUST_CHECK enum status image_parse_multiboot(const uint8_t *bytes, size_t size, uint64_t offset,
                                             const struct image_limits *limits, bool is_elf,
                                             struct image *image);
/* Adds a segment that lies inside the file; `offset` is where it is described. */
MUST_CHECK enum status image_add_segment(struct image *image, const struct image_segment *segment,
                                         uint64_t offset, const struct image_limits *limits);
/* Notes in the image what is wrong; returns `status`. `problem` must be a constant. */
MUST_CHECK enum status image_fail(struct image *image, enum status status, uint64_t offset,
                                  uint64_t value, const char *problem);
