/* SPDX-License-Identifier: MIT */
#include "hypervisor/acpi/srat.h"
#include "hypervisor/acpi/bytes.h"
#include "hypervisor/acpi/table.h"

#define SRAT_NAME      "SRAT"
#define SRAT_REVISION  8
#define SRAT_FIRST     48u
#define SHORTEST       8u /* the head of a structure and a proximity domain */
#define WIDE_REVISION  2  /* from this on, a local APIC's domain has 32 bits rather than 8 */
#define ENABLED        BIT(0)
#define MEMORY_SPECIAL BIT(3) /* memory: intended for a specific purpose */

/* Affinity structures: smallest length of those that are used. Generic initiators have neither
 * processors nor memory. That memory is hot-pluggable changes nothing: only what the loader's map
 * lists is ever given away. */
enum { SRAT_LOCAL_APIC = 0, SRAT_MEMORY = 1, SRAT_X2APIC = 2 };
static const uint8_t smallest[] = {
    [SRAT_LOCAL_APIC] = 16,
    [SRAT_MEMORY] = 40,
    [SRAT_X2APIC] = 24,
};

static void add_cpu(struct srat *srat, struct srat_cpu cpu, uint32_t offset)
{
    for (uint32_t i = 0; i < srat->cpu_count; i++) {
        if (srat->cpu[i].apic_id != cpu.apic_id)
            continue;
        if (srat->cpu[i].node != cpu.node)
            acpi_refuse(SRAT_NAME, offset, cpu.apic_id,
                        "this APIC id is in two proximity domains; the first one counts");
        return; /* some firmware lists a processor both ways */
    }
    if (srat->cpu_count == SRAT_MAX_CPUS) {
        acpi_refuse(SRAT_NAME, offset, cpu.apic_id, "more processors than can be used; left out");
        return;
    }
    srat->cpu[srat->cpu_count++] = cpu;
}

static void add_memory(struct srat *srat, const uint8_t *entry, uint32_t offset)
{
    uint64_t base = read64(entry + 8), size = read64(entry + 16);
    if (size == 0 || size > UINT64_MAX - base) {
        acpi_refuse(SRAT_NAME, offset, size,
                    "memory that is empty, or ends behind the last address; left out");
        return;
    }
    if (srat->memory_count == SRAT_MAX_MEMORY) {
        acpi_refuse(SRAT_NAME, offset, base, "more pieces of memory than can be used; left out");
        return;
    }
    const struct srat_memory memory = {.base = base,
                                       .end = base + size,
                                       .node = read32(entry + 2),
                                       .special = (read32(entry + 28) & MEMORY_SPECIAL) != 0};
    for (uint32_t i = 0; i < srat->memory_count; i++) {
        const struct srat_memory *other = &srat->memory[i];
        if (memory.base < other->end && other->base < memory.end && memory.node != other->node) {
            acpi_refuse(SRAT_NAME, offset, base,
                        "memory that is in two proximity domains; the first one counts");
            return;
        }
    }
    srat->memory[srat->memory_count++] = memory;
}

static void read_entry(struct srat *srat, const uint8_t *entry, uint32_t offset, bool wide)
{
    uint8_t type = entry[0];
    if (type >= ARRAY_SIZE(smallest))
        return;
    if (entry[1] < smallest[type]) {
        acpi_refuse(SRAT_NAME, offset, entry[1], "an entry too short for its type; left out");
        return;
    }
    switch (type) {
    case SRAT_LOCAL_APIC:
        if ((read32(entry + 4) & ENABLED) != 0)
            add_cpu(
                srat,
                (struct srat_cpu){entry[3], entry[2] | (wide ? read32(entry + 8) >> 8 << 8 : 0)},
                offset);
        break;
    case SRAT_MEMORY:
        if ((read32(entry + 28) & ENABLED) != 0)
            add_memory(srat, entry, offset);
        break;
    case SRAT_X2APIC:
        if ((read32(entry + 12) & ENABLED) != 0)
            add_cpu(srat, (struct srat_cpu){read32(entry + 8), read32(entry + 4)}, offset);
        break;
    default:
        break;
    }
}

enum status srat_parse(const void *table, uint32_t length, struct srat *srat)
{
    srat->cpu_count = 0;
    srat->memory_count = 0;
    length = acpi_usable_length(table, length, SRAT_NAME, SRAT_FIRST);
    if (length == 0)
        return STATUS_INVALID;
    const uint8_t *bytes = table;
    bool wide = bytes[SRAT_REVISION] >= WIDE_REVISION;
    uint32_t offset = SRAT_FIRST;
    while (offset < length) {
        uint32_t left = length - offset;
        if (left < SHORTEST || bytes[offset + 1] < SHORTEST || bytes[offset + 1] > left) {
            acpi_refuse(SRAT_NAME, offset, left < SHORTEST ? left : bytes[offset + 1],
                        "impossible entry length; it and what follows are ignored");
            break;
        }
        read_entry(srat, bytes + offset, offset, wide);
        offset += bytes[offset + 1];
    }
    return STATUS_OK;
}
