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

#define MADT_MAX_NMIS 16

/* A pin of a processor's local APIC that is an NMI. */
struct madt_nmi {
    bool all;     /* of every processor */
    uint32_t uid; /* ACPI's number of it, or not */
    uint8_t pin;  /* LINT0 or LINT1 */
    bool active_low;
};

struct madt {
    uint32_t cpu_count;
    uint32_t
        apic_id[MADT_MAX_CPUS];  /* enabled ones only, xAPIC and x2APIC entries, no duplicates */
    uint32_t uid[MADT_MAX_CPUS]; /* ACPI's numbers of the same processors */
    uint32_t nmi_count;
    struct madt_nmi nmi[MADT_MAX_NMIS];
    uint32_t ioapic_count;
    struct madt_ioapic ioapic[MADT_MAX_IOAPICS];
    uint64_t local_apic_address;
    bool has_8259;
};
MUST_CHECK enum status madt_parse(const void *table, uint32_t length, struct madt *madt);
/* The NMI pin of a processor; NULL: it has none. */
const struct madt_nmi *madt_nmi_of(const struct madt *madt, uint32_t apic_id);
