/*
 * ACPI tables. Parsers take bytes and their length and fill structures of their own: no globals,
 * no hardware, so that host tests and fuzzers run them unchanged. Finding and mapping tables is
 * acpi_find(), which asks its `struct acpi_memory` for physical bytes.
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
    struct acpi_table tables[ACPI_MAX_TABLES];
};

/* RSDP, then XSDT (or RSDT): checks signatures, lengths and checksums, logs `acpi.table` for each
 * table found and `acpi.refused table= offset= value= message=` for each one it will not use.
 * A bad table is left out; STATUS_INVALID/NOT_FOUND only when no directory can be read at all. */
MUST_CHECK enum status acpi_directory_read(const struct acpi_memory *memory, uint64_t rsdp,
                                           struct acpi_directory *directory);
/* The table's whole bytes (mapped by directory_read's memory), NULL when absent. */
const void *acpi_table_map(const struct acpi_memory *memory, const struct acpi_directory *directory,
                           const char *signature, uint32_t *length);

/* --- MADT (ACPI 5.2.12) --- */
#define MADT_MAX_CPUS    256
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

/* --- MCFG (PCI Firmware 3.3, 4.1.2) --- */
#define MCFG_MAX_SEGMENTS 16

struct mcfg_segment {
    uint64_t base; /* physical address of bus 0's (not start_bus's) configuration space */
    uint16_t segment;
    uint8_t start_bus;
    uint8_t end_bus;
};

struct mcfg {
    uint32_t count;
    struct mcfg_segment segment[MCFG_MAX_SEGMENTS];
};
MUST_CHECK enum status mcfg_parse(const void *table, uint32_t length, struct mcfg *mcfg);

/* --- FADT (ACPI 5.2.9): what power-off, reset and the PM timer need --- */
struct fadt {
    uint32_t pm_timer_port; /* 0: none */
    bool pm_timer_32bit;
    uint32_t pm1a_control_port;
    uint32_t pm1b_control_port;
    uint32_t smi_command_port;
    uint8_t acpi_enable;
    uint8_t reset_space; /* 1 = port I/O, 0 = memory; 0xff = no reset register */
    uint64_t reset_address;
    uint8_t reset_value;
    uint64_t dsdt;
    bool no_rtc; /* no real-time clock behind ports 70h and 71h */
};
MUST_CHECK enum status fadt_parse(const void *table, uint32_t length, struct fadt *fadt);
/* Looks for the \_S5 package in the DSDT's bytes (no AML interpreter: a bounded pattern search) and
 * gives the SLP_TYP values; STATUS_NOT_FOUND when the pattern is not there. */
MUST_CHECK enum status dsdt_find_s5(const void *table, uint32_t length, uint8_t *slp_typ_a,
                                    uint8_t *slp_typ_b);
