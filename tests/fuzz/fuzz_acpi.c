/* SPDX-License-Identifier: MIT */
// Any bytes as physical memory with an RSDP at its start, and as each of the tables.
// SOURCES: hypervisor/acpi/directory.c hypervisor/acpi/madt.c hypervisor/acpi/mcfg.c
// SOURCES: hypervisor/acpi/fadt.c hypervisor/acpi/srat.c hypervisor/acpi/table.c
// SOURCES: hypervisor/acpi/ivrs.c
// SOURCES: hypervisor/acpi/spcr.c hypervisor/acpi/dbg2.c hypervisor/acpi/serial_port.c
// SOURCES: hypervisor/acpi/find.c
#include <stdlib.h>
#include <string.h>

#include "hypervisor/acpi/acpi.h"
#include "hypervisor/acpi/fadt.h"
#include "hypervisor/acpi/ivrs.h"
#include "hypervisor/acpi/find.h"
#include "hypervisor/acpi/madt.h"
#include "hypervisor/acpi/mcfg.h"
#include "hypervisor/acpi/serial_port.h"
#include "hypervisor/acpi/srat.h"
#include "tests/fuzz/fuzz.h"

#define BASE UINT64_C(0x1000)

struct memory {
    const uint8_t *bytes;
    size_t size;
    unsigned mappings;
};

/* A copy each time: a read past what was asked for is seen. */
static const void *map(void *context, uint64_t physical, uint64_t size)
{
    struct memory *memory = context;
    if (physical < BASE || size > memory->size || physical - BASE > memory->size - size)
        return NULL;
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    memcpy(copy, memory->bytes + (physical - BASE), size);
    memory->mappings++;
    return copy;
}

static void unmap(void *context, const void *bytes, uint64_t size)
{
    (void)size;
    ((struct memory *)context)->mappings--;
    free((void *)bytes);
}

/* The fuzzer cannot find checksums, so they are made right: for each table whose header is where
 * the fuzzer put a known signature. */
static void fix_checksum(uint8_t *bytes, size_t length, size_t at)
{
    uint8_t sum = 0;
    bytes[at] = 0;
    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + bytes[i]);
    bytes[at] = (uint8_t)-sum;
}

static void fix_all(uint8_t *bytes, size_t size)
{
    static const char *const signatures[] = {"XSDT", "RSDT", "FACP", "APIC", "MCFG",
                                             "SRAT", "DSDT", "IVRS", "SPCR", "DBG2"};
    for (size_t at = 0; at + 36 <= size; at++) {
        for (size_t i = 0; i < ARRAY_SIZE(signatures); i++) {
            if (memcmp(bytes + at, signatures[i], 4) != 0)
                continue;
            uint32_t length;
            memcpy(&length, bytes + at + 4, sizeof length);
            if (length >= 36 && length <= size - at)
                fix_checksum(bytes + at, length, 9);
        }
    }
    if (size >= 36) {
        fix_checksum(bytes, 20, 8);
        fix_checksum(bytes, 36, 32);
    }
}

static void check_srat(const struct srat *srat)
{
    fuzz_check(srat->cpu_count <= SRAT_MAX_CPUS && srat->memory_count <= SRAT_MAX_MEMORY);
    for (uint32_t i = 0; i < srat->cpu_count; i++)
        for (uint32_t other = 0; other < i; other++)
            fuzz_check(srat->cpu[i].apic_id != srat->cpu[other].apic_id);
    for (uint32_t i = 0; i < srat->memory_count; i++) {
        const struct srat_memory *memory = &srat->memory[i];
        fuzz_check(memory->base < memory->end);
        for (const struct srat_memory *other = srat->memory; other < memory; other++)
            fuzz_check(other->node == memory->node || other->end <= memory->base ||
                       memory->end <= other->base);
    }
}

static void check_serial(const struct acpi_serial_port *port)
{
    fuzz_check(port->address != 0 && port->divisor <= UINT16_MAX);
    fuzz_check(port->memory ? port->address < BIT(52) && port->address % port->stride == 0
                            : port->address <= 0xfff8 && port->stride == 1);
    fuzz_check(port->stride == 1 || port->stride == 2 || port->stride == 4);
    fuzz_check((port->width == 1 || port->width == 4) && port->width <= port->stride);
}

static void parse_all(const uint8_t *bytes, uint32_t size)
{
    static struct srat srat;
    struct madt madt;
    struct mcfg mcfg;
    struct fadt fadt;
    struct ivrs ivrs;
    struct acpi_serial_port port;
    uint8_t a, b;
    if (spcr_parse(bytes, size, &port) == STATUS_OK)
        check_serial(&port);
    if (dbg2_parse(bytes, size, &port) == STATUS_OK)
        check_serial(&port);
    if (madt_parse(bytes, size, &madt) == STATUS_OK) {
        fuzz_check(madt.cpu_count <= MADT_MAX_CPUS && madt.ioapic_count <= MADT_MAX_IOAPICS);
        for (uint32_t i = 0; i < madt.cpu_count; i++)
            for (uint32_t other = 0; other < i; other++)
                fuzz_check(madt.apic_id[i] != madt.apic_id[other]);
    }
    if (mcfg_parse(bytes, size, &mcfg) == STATUS_OK) {
        fuzz_check(mcfg.count >= 1 && mcfg.count <= MCFG_MAX_SEGMENTS);
        for (uint32_t i = 0; i < mcfg.count; i++)
            fuzz_check(mcfg.segment[i].start_bus <= mcfg.segment[i].end_bus &&
                       mcfg.segment[i].base != 0);
    }
    if (srat_parse(bytes, size, &srat) == STATUS_OK)
        check_srat(&srat);
    if (ivrs_parse(bytes, size, &ivrs) == STATUS_OK) {
        fuzz_check(ivrs.unit_count <= IVRS_MAX_UNITS);
        for (uint32_t i = 0; i < ivrs.unit_count; i++)
            for (uint32_t other = 0; other < i; other++)
                fuzz_check(ivrs.unit[i].base != ivrs.unit[other].base);
    }
    if (fadt_parse(bytes, size, &fadt) == STATUS_OK)
        fuzz_check(fadt.pm_timer_port <= UINT16_MAX && fadt.pm1a_control_port <= UINT16_MAX &&
                   fadt.gpe_port[0] + fadt.gpe_length[0] <= UINT16_MAX + 1u &&
                   fadt.pm1_event_port[1] + fadt.pm1_event_length <= UINT16_MAX + 1u &&
                   (fadt.reset_space <= 1 || fadt.reset_space == 0xff));
    if (dsdt_find_s5(bytes, size, &a, &b) == STATUS_OK)
        fuzz_check(a <= 7 && b <= 7);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    parse_all(data, (uint32_t)size);

    uint8_t *bytes = malloc(size == 0 ? 1 : size);
    memcpy(bytes, data, size);
    fix_all(bytes, size);
    struct memory memory = {.bytes = bytes, .size = size};
    const struct acpi_memory access = {.map = map, .unmap = unmap, .context = &memory};
    struct acpi_directory directory;
    if (acpi_directory_read(&access, BASE, &directory) == STATUS_OK) {
        fuzz_check(directory.count <= ACPI_MAX_TABLES);
        for (size_t i = 0; i < directory.count; i++) {
            uint32_t length;
            const char *signature = directory.tables[i].signature;
            const void *table = acpi_table_map(&access, &directory, signature, &length);
            fuzz_check(table != NULL);
            parse_all(table, length);
            unmap(&memory, table, length);
        }
    }
    static const char *const early[] = {"SPCR", "DBG2"};
    for (size_t i = 0; i < ARRAY_SIZE(early); i++) {
        uint32_t length;
        const void *table = acpi_find(&access, BASE, early[i], &length);
        if (table == NULL)
            continue;
        parse_all(table, length);
        unmap(&memory, table, length);
    }
    fuzz_check(memory.mappings == 0);
    free(bytes);
    return 0;
}
