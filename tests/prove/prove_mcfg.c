/* SPDX-License-Identifier: MIT */
// clang-format off
// SOURCES: hypervisor/acpi/mcfg.c hypervisor/acpi/table.c hypervisor/base/string.c
// UNWIND: 5
// BOUND: any table of up to 100 bytes: 3 entries
// PLANT: hypervisor/acpi/mcfg.c ==> return base < other_end && other_base < end; ==> return base < other_end && other_base + 1 < end;
// clang-format on
/* Configuration space that is used lies where it can, and no two buses share a byte of it. */
#include "hypervisor/acpi/acpi.h"
#include "hypervisor/acpi/mcfg.h"
#include "tests/prove/prove.h"

static uint64_t first(const struct mcfg_segment *segment)
{
    return segment->base + ((uint64_t)segment->start_bus << 20);
}

static uint64_t past(const struct mcfg_segment *segment)
{
    return segment->base + (((uint64_t)segment->end_bus + 1) << 20);
}

int main(void)
{
    uint8_t table[100];
    uint32_t length = nondet_uint32();
    struct mcfg mcfg;
    ANY(table);
    ASSUME(length <= sizeof table);
    if (mcfg_parse(table, length, &mcfg) != STATUS_OK)
        return 0;
    CLAIM(mcfg.count >= 1 && mcfg.count <= 3);
    for (uint32_t i = 0; i < mcfg.count; i++) {
        const struct mcfg_segment *one = &mcfg.segment[i];
        CLAIM(first(one) < past(one) && past(one) <= BIT(52));
        for (uint32_t j = 0; j < i; j++) {
            const struct mcfg_segment *other = &mcfg.segment[j];
            CLAIM(past(one) <= first(other) || past(other) <= first(one));
            CLAIM(one->segment != other->segment || one->end_bus < other->start_bus ||
                  other->end_bus < one->start_bus);
        }
    }
    return 0;
}
