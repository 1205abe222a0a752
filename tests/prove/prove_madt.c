/* SPDX-License-Identifier: MIT */
// clang-format off
// SOURCES: hypervisor/acpi/madt.c hypervisor/acpi/table.c hypervisor/base/string.c
// UNWIND: 9
// BOUND: any table of up to 60 bytes: 8 entries
// PLANT: hypervisor/acpi/madt.c ==> if (entry[1] < smallest[type]) { ==> if (entry[1] + 1 < smallest[type]) {
// clang-format on
/* Only bytes of the table are read; no APIC id is counted twice; nothing overflows. */
#include "hypervisor/acpi/acpi.h"
#include "hypervisor/acpi/madt.h"
#include "tests/prove/prove.h"

int main(void)
{
    uint8_t table[60];
    uint32_t length = nondet_uint32();
    static struct madt madt;
    ANY(table);
    ASSUME(length <= sizeof table);
    if (madt_parse(table, length, &madt) != STATUS_OK)
        return 0;
    CLAIM(madt.cpu_count <= 2 && madt.ioapic_count <= 1);
    for (uint32_t i = 0; i < madt.cpu_count; i++)
        for (uint32_t j = 0; j < i; j++)
            CLAIM(madt.apic_id[i] != madt.apic_id[j]);
    return 0;
}
