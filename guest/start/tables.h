/* SPDX-License-Identifier: MIT */
/* What a guest finds in memory at its start: PVH start_info, Linux boot parameters or Multiboot
 * information, command line, ACPI tables. */
#pragma once

#include "hypervisor/base/core.h"

/* The Linux 64-bit boot protocol's part. */
struct guest_linux_boot {
    const uint8_t *setup; /* the image's setup header, from offset 0x1f1 of the file */
    size_t setup_size;
    uint64_t initrd_base, initrd_size; /* guest-physical; size 0: none */
};

/* Multiboot's. */
struct guest_multiboot {
    uint64_t module_base, module_size; /* guest-physical; size 0: none */
    const char *module_name;
};

struct guest_tables_input {
    uint64_t memory_size;       /* bytes of RAM from 0 */
    uint64_t high_size;         /* and from GUEST_HIGH_BASE */
    uint64_t bar_base, bar_end; /* for BARs above 4 GiB; equal: none */
    const char *command_line;   /* NULL: none */
    uint32_t cpu_count;
    const uint32_t *apic_ids;
    uint64_t ecam_base;                        /* of bus 0; one bus */
    bool ports;                                /* the guest has the emulated ports of ports.h */
    const struct guest_linux_boot *linux_boot; /* NULL: not Linux */
    const struct guest_multiboot *multiboot;   /* NULL: not Multiboot. Neither: PVH */
};

struct guest_tables_output {
    uint32_t start_info;  /* or what is in its place; guest-physical, as are the others */
    uint64_t page_tables; /* Linux only: identity map of the first 4 GiB */
    uint64_t gdt;
    uint32_t gdt_limit;
};

/* Writes everything into `area`, the GUEST_TABLES_BASE..END part of the guest's memory (already
 * zeroed). Works on the bytes alone (host tests). STATUS_FULL when it does not fit. */
MUST_CHECK enum status guest_tables_write(uint8_t *area, size_t size,
                                          const struct guest_tables_input *input,
                                          struct guest_tables_output *output);
