/* SPDX-License-Identifier: MIT */
// SOURCES: boot/preflight/tables.c boot/preflight/smbios.c boot/preflight/aperture.c
// SOURCES: boot/preflight/report.c hypervisor/acpi/directory.c hypervisor/acpi/table.c
// SOURCES: hypervisor/acpi/fadt.c hypervisor/acpi/madt.c hypervisor/acpi/mcfg.c
// SOURCES: hypervisor/acpi/srat.c hypervisor/acpi/dmar.c hypervisor/base/format.c
// SOURCES: hypervisor/base/status.c
// What the preflight reads beside the hypervisor's tables: SMBIOS, root bridges' resources, an
// earlier report, and tables that only it looks into. The first byte says which.
#include <stdlib.h>
#include <string.h>

#include "boot/preflight/preflight.h"
#include "boot/preflight/report.h"
#include "tests/fuzz/fuzz.h"

#define TABLE 0x3000u

static struct {
    const uint8_t *bytes;
    size_t size;
    uint8_t rsdp[36], xsdt[44];
} machine;

static void sum(uint8_t *bytes, size_t size, size_t at)
{
    bytes[at] = 0;
    uint8_t total = 0;
    for (size_t i = 0; i < size; i++)
        total = (uint8_t)(total + bytes[i]);
    bytes[at] = (uint8_t)-total;
}

static const void *map(void *context, uint64_t physical, uint64_t size)
{
    if (physical == 0x1000 && size <= sizeof machine.rsdp)
        return machine.rsdp;
    if (physical == 0x2000 && size <= sizeof machine.xsdt)
        return machine.xsdt;
    return physical == TABLE && size <= machine.size ? machine.bytes : NULL;
}

/* One table of a kind that nothing but the preflight reads, with its length and checksum right. */
static void read_table(const uint8_t *data, size_t size, const char *signature)
{
    static struct preflight facts;
    const struct acpi_memory memory = {map, NULL, NULL};
    if (size < 36)
        return;
    uint8_t *table = malloc(size);
    memcpy(table, data, size);
    memcpy(table, signature, 4);
    for (unsigned i = 0; i < 4; i++)
        table[4 + i] = (uint8_t)(size >> (8 * i));
    sum(table, size, 9);
    machine.bytes = table;
    machine.size = size;
    memset(machine.rsdp, 0, sizeof machine.rsdp);
    memset(machine.xsdt, 0, sizeof machine.xsdt);
    memcpy(machine.rsdp, "RSD PTR ", 8);
    machine.rsdp[15] = 2, machine.rsdp[20] = 36, machine.rsdp[25] = 0x20;
    sum(machine.rsdp, 20, 8);
    sum(machine.rsdp, 36, 32);
    memcpy(machine.xsdt, "XSDT", 4);
    machine.xsdt[4] = 44, machine.xsdt[37] = TABLE >> 8;
    sum(machine.xsdt, sizeof machine.xsdt, 9);
    memset(&facts, 0, sizeof facts);
    preflight_tables(&memory, 0x1000, &facts);
    fuzz_check(facts.directory.count == 1);
    free(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char kinds[][5] = {"IVRS", "WDAT", "SPCR", "ERST"};
    struct preflight_roots roots = {.count = 0};
    uint64_t value;
    if (size == 0)
        return 0;
    uint8_t *copy = malloc(size);
    memcpy(copy, data + 1, size - 1);
    if (data[0] == 0) {
        preflight_machine(copy, size - 1);
    } else if (data[0] == 1) {
        preflight_apertures(0, 0, copy, size - 1, &roots);
        fuzz_check(roots.count <= PREFLIGHT_ROOTS);
        for (size_t i = 0; i < roots.count; i++)
            fuzz_check(roots.root[i].first <= roots.root[i].last);
    } else if (data[0] == 2) {
        (void)!report_last_line((const char *)copy, size - 1, "stable", &value);
    } else {
        read_table(copy, size - 1, kinds[data[0] % ARRAY_SIZE(kinds)]);
    }
    free(copy);
    return 0;
}
