/* SPDX-License-Identifier: MIT */
/* Checks bulkhead.elf before anything of it is copied. Works on bytes only (host-tested). */
#pragma once

#include "hypervisor/base/core.h"

#define ELF_MAX_SEGMENTS 8
#define ELF_MAX_IMAGE    MIB(64)

struct elf_image {
    uint64_t entry; /* virtual address */
    uint64_t base;  /* virtual address of the first segment, 2 MiB aligned */
    uint64_t size;  /* bytes from base to past the last segment, whole pages */
    uint32_t segment_count;
    struct elf_segment {
        uint64_t virtual;     /* page aligned */
        uint64_t file_offset; /* bytes */
        uint64_t file_size;
        uint64_t memory_size; /* zero-filled beyond file_size */
        bool writable, executable;
    } segments[ELF_MAX_SEGMENTS];
    const char *problem; /* on failure: what is wrong, and where */
    uint64_t value;      /* the offending value */
};

/* STATUS_INVALID with `problem` and `value` set unless the bytes are an x86-64 ELF executable whose
 * segments lie in the file, are page aligned, ascending, apart, never writable and executable, and
 * hold the entry point in executable memory. */
MUST_CHECK enum status elf_check(const void *bytes, size_t size, struct elf_image *image);
