/* What a guest finds in memory at its start: PVH start_info, command line, ACPI tables. */
#pragma once

#include "hypervisor/base/core.h"

struct guest_tables_input {
    uint64_t memory_size;     /* bytes of RAM from 0 */
    const char *command_line; /* NULL: none */
    uint32_t cpu_count;
    const uint32_t *apic_ids;
    uint64_t ecam_base; /* of bus 0; one bus */
};

/* Writes everything into `area`, the GUEST_TABLES_BASE..END part of the guest's memory (already
 * zeroed), and gives the guest-physical address of the start_info. Works on the bytes alone (host
 * tests). STATUS_FULL when it does not fit. */
MUST_CHECK enum status guest_tables_write(uint8_t *area, size_t size,
                                          const struct guest_tables_input *input,
                                          uint32_t *start_info);
