/* SPDX-License-Identifier: MIT */
/* What the files that write a guest's tables share; nobody else includes this. */
#pragma once

#include "guest/start/tables.h"
#include "hypervisor/abi/machine.h"

/* A bump allocator over the area. */
struct table_area {
    uint8_t *bytes;
    size_t size, used;
};

/* Room at a multiple of 16 bytes (or of `alignment`), with its guest-physical address; NULL when
 * none is left. */
void *table_take(struct table_area *area, size_t size, uint64_t *address);
void *table_take_aligned(struct table_area *area, size_t size, size_t alignment, uint64_t *address);

#define E820_RAM      1u
#define E820_RESERVED 2u
#define E820_ACPI     3u
#define TABLES_RANGES 5 /* at most */

/* What every boot protocol tells. Addresses are guest-physical. */
struct tables_common {
    struct {
        uint64_t base, size;
        uint32_t type;
    } ranges[TABLES_RANGES];
    unsigned range_count;
    uint64_t command_line; /* 0: none */
    uint64_t rsdp;
};

/* The address of the RSDP; 0 when the area is too small. */
uint64_t tables_write_acpi(struct table_area *area, const struct guest_tables_input *input);
/* The address of the information structure; 0 when the area is too small. */
uint64_t tables_write_multiboot(struct table_area *area, const struct guest_multiboot *boot,
                                const struct tables_common *common);
/* The address of the boot parameters, 0 when the area is too small; fills in page tables and GDT.
 */
uint64_t tables_write_linux(struct table_area *area, const struct guest_linux_boot *boot,
                            const struct tables_common *common, struct guest_tables_output *output);
