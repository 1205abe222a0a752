/*
 * Guest images. PVH: a 32- or 64-bit ELF with the XEN_ELFNOTE_PHYS32_ENTRY note. The parser works
 * on bytes (host-tested, fuzzed); loading copies through a function of the caller's.
 */
#pragma once

#include "hypervisor/base/core.h"

#define IMAGE_MAX_SEGMENTS 16

struct image {
    uint32_t entry; /* guest-physical, 32-bit protected mode */
    uint32_t segment_count;
    struct image_segment {
        uint64_t address; /* guest-physical (p_paddr) */
        uint64_t file_offset, file_size;
        uint64_t memory_size; /* zero-filled beyond file_size */
    } segments[IMAGE_MAX_SEGMENTS];
    const char *problem; /* set on failure: what is wrong with which field */
    uint64_t problem_offset, problem_value;
};

/* STATUS_INVALID (no ELF, truncated, overlapping or wrapping segments), STATUS_UNSUPPORTED (not
 * x86, no PVH note). `memory` is the guest's size in bytes: every segment must fit below it and
 * outside [reserved_base, reserved_end), where the hypervisor puts its tables. */
MUST_CHECK enum status image_parse(const void *bytes, size_t size, uint64_t memory,
                                   uint64_t reserved_base, uint64_t reserved_end,
                                   struct image *image);
