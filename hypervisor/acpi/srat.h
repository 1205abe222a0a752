/* SPDX-License-Identifier: MIT */
/* SRAT (ACPI 6.6, 5.2.16): which processors and which memory are near each other. */
#pragma once

#include "hypervisor/base/core.h"

#define SRAT_MAX_CPUS   1024
#define SRAT_MAX_MEMORY 128

struct srat_cpu {
    uint32_t apic_id;
    uint32_t node; /* proximity domain, as firmware numbers them */
};

struct srat_memory {
    uint64_t base, end; /* bytes; never empty */
    uint32_t node;
    bool special; /* for a specific purpose, such as high-bandwidth memory */
};

/* Enabled entries only: each APIC id once, no memory in two nodes. */
struct srat {
    uint32_t cpu_count, memory_count;
    struct srat_cpu cpu[SRAT_MAX_CPUS];
    struct srat_memory memory[SRAT_MAX_MEMORY];
};

/* Logs acpi.refused for what it leaves out. STATUS_INVALID when the table's head cannot be used. */
MUST_CHECK enum status srat_parse(const void *table, uint32_t length, struct srat *srat);
