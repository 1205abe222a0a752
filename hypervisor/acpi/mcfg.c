/* SPDX-License-Identifier: MIT */
#include "hypervisor/acpi/bytes.h"
#include "hypervisor/acpi/mcfg.h"
#include "hypervisor/acpi/table.h"

#define MCFG_NAME  "MCFG"
#define MCFG_FIRST 44u
#define ENTRY_SIZE 16u
#define BUS_SIZE   MIB(1) /* 256 functions of 4 KiB */

static bool overlap(uint64_t base, uint64_t end, uint64_t other_base, uint64_t other_end)
{
    return base < other_end && other_base < end;
}

static uint64_t first_byte(const struct mcfg_segment *segment)
{
    return segment->base + segment->start_bus * BUS_SIZE;
}

static uint64_t past_byte(const struct mcfg_segment *segment)
{
    return segment->base + (segment->end_bus + UINT64_C(1)) * BUS_SIZE;
}

/* Why the entry cannot be used, or NULL. */
static const char *fault_of(const struct mcfg *mcfg, const struct mcfg_segment *new)
{
    if (new->start_bus > new->end_bus)
        return "the last bus is below the first; left out";
    if (new->base == 0 || !IS_ALIGNED(new->base, BUS_SIZE) || new->base > BIT(52) - 256 * BUS_SIZE)
        return "not an address that configuration space can have; left out";
    for (uint32_t i = 0; i < mcfg->count; i++) {
        const struct mcfg_segment *old = &mcfg->segment[i];
        if (old->segment == new->segment &&
            overlap(new->start_bus, new->end_bus + 1u, old->start_bus, old->end_bus + 1u))
            return "these buses are listed already; left out";
        if (overlap(first_byte(new), past_byte(new), first_byte(old), past_byte(old)))
            return "overlaps the space of other buses; left out";
    }
    return mcfg->count == MCFG_MAX_SEGMENTS ? "more entries than can be used; left out" : NULL;
}

enum status mcfg_parse(const void *table, uint32_t length, struct mcfg *mcfg)
{
    *mcfg = (struct mcfg){0};
    length = acpi_usable_length(table, length, MCFG_NAME, MCFG_FIRST);
    if (length == 0)
        return STATUS_INVALID;
    const uint8_t *bytes = table;
    uint32_t offset = MCFG_FIRST;
    for (; length - offset >= ENTRY_SIZE; offset += ENTRY_SIZE) {
        const uint8_t *entry = bytes + offset;
        struct mcfg_segment segment = {.base = read64(entry),
                                       .segment = read16(entry + 8),
                                       .start_bus = entry[10],
                                       .end_bus = entry[11]};
        const char *fault = fault_of(mcfg, &segment);
        if (fault != NULL)
            acpi_refuse(MCFG_NAME, offset, segment.base, fault);
        else
            mcfg->segment[mcfg->count++] = segment;
    }
    if (offset != length)
        acpi_refuse(MCFG_NAME, offset, length - offset, "the last entry is cut off; left out");
    return mcfg->count == 0 ? STATUS_NOT_FOUND : STATUS_OK;
}
