/* SPDX-License-Identifier: MIT */
/* MADT (ACPI 6.5, 5.2.12): processors and interrupt controllers. */
#pragma once

#include "hypervisor/base/core.h"

#define MADT_MAX_CPUS    1024
#define MADT_MAX_IOAPICS 16

struct madt_ioapic {
    uint8_t id;
    uint32_t address;
    uint32_t gsi_base;
};

struct madt {
    uint32_t cpu_count;
    uint32_t
        apic_id[MADT_MAX_CPUS]; /* enabled ones only, xAPIC and x2APIC entries, no duplicates */
    uint32_t ioapic_count;
    struct madt_ioapic ioapic[MADT_MAX_IOAPICS];
    uint64_t local_apic_address;
    bool has_8259;
};
MUST_CHECK enum status madt_parse(const void *table, uint32_t length, struct madt *madt);
