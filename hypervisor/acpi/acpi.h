/* SPDX-License-Identifier: MIT */
/*
 * Finding ACPI tables. Parsers take bytes and their length and fill structures of their own: no
 * globals, no hardware, so that host tests and fuzzers run them unchanged. Physical bytes come from
 * a `struct acpi_memory`.
 */
#pragma once

#include "hypervisor/base/core.h"

struct acpi_header {           /* ACPI 6.5, 5.2.6 */
    char signature[4];         /* 0x00 */
    uint32_t length;           /* 0x04 */
    uint8_t revision;          /* 0x08 */
    uint8_t checksum;          /* 0x09 */
    char oem_id[6];            /* 0x0a */
    char oem_table_id[8];      /* 0x10 */
    uint32_t oem_revision;     /* 0x18 */
    uint32_t creator_id;       /* 0x1c */
    uint32_t creator_revision; /* 0x20 */
} PACKED;
_Static_assert(sizeof(struct acpi_header) == 36, "ACPI 5.2.6");

/* Where physical bytes come from. `map` returns at least `size` readable bytes or NULL. */
struct acpi_memory {
    const void *(*map)(void *context, uint64_t physical, uint64_t size);
    void (*unmap)(void *context, const void *bytes, uint64_t size);
    void *context;
};

#define ACPI_MAX_TABLES 64

struct acpi_table {
    char signature[5];
    uint64_t physical;
    uint32_t length;
};

struct acpi_directory {
    uint64_t rsdp;
    size_t count;
    size_t skipped; /* further tables of a name */
    struct acpi_table tables[ACPI_MAX_TABLES];
};

/* RSDP, then XSDT (or RSDT): checks signatures and lengths, logs `acpi.table` for the first table
 * of each name, `acpi.checksum` for a wrong checksum, which costs a table nothing, and
 * `acpi.refused table= offset= value= message=` for each one it will not use. A bad table is left
 * out; STATUS_INVALID/NOT_FOUND only when no directory can be read at all. */
MUST_CHECK enum status acpi_directory_read(const struct acpi_memory *memory, uint64_t rsdp,
                                           struct acpi_directory *directory);
/* The table's whole bytes (mapped by directory_read's memory), NULL when absent. */
const void *acpi_table_map(const struct acpi_memory *memory, const struct acpi_directory *directory,
                           const char *signature, uint32_t *length);
