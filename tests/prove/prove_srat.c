/* SPDX-License-Identifier: MIT */
// clang-format off
// SOURCES: hypervisor/acpi/srat.c hypervisor/acpi/table.c hypervisor/base/string.c
// UNWIND: 7
// BOUND: any table of up to 88 bytes: one piece of memory, two processors, or 5 unknown entries
// PLANT: hypervisor/acpi/srat.c ==> bytes[offset + 1] > left) { ==> bytes[offset + 1] > left + 64) {
// clang-format on
/* Only bytes of the table are read; no APIC id is counted twice; no piece of memory is empty or
 * wraps. */
#include "hypervisor/acpi/acpi.h"
#include "hypervisor/acpi/srat.h"
#include "tests/prove/prove.h"

int main(void)
{
    uint8_t table[88];
    uint32_t length = nondet_uint32();
    static struct srat srat;
    ANY(table);
    ASSUME(length <= sizeof table);
    if (srat_parse(table, length, &srat) != STATUS_OK)
        return 0;
    CLAIM(srat.cpu_count <= 2 && srat.memory_count <= 1);
    CLAIM(srat.cpu_count < 2 || srat.cpu[0].apic_id != srat.cpu[1].apic_id);
    CLAIM(srat.memory_count < 1 || srat.memory[0].base < srat.memory[0].end);
    return 0;
}
