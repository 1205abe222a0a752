/* SPDX-License-Identifier: MIT */
// clang-format off
// SOURCES: hypervisor/acpi/ivrs.c hypervisor/acpi/table.c hypervisor/base/string.c
// UNWIND: 15
// BOUND: any table of up to 104 bytes: two units, or 14 blocks without one
// PLANT: hypervisor/acpi/ivrs.c ==> size > left) { ==> size > left + 64) {
// clang-format on
/* Only bytes of the table are read; no unit is counted twice, and none has an impossible base. */
#include "hypervisor/acpi/acpi.h"
#include "hypervisor/acpi/ivrs.h"
#include "tests/prove/prove.h"

int main(void)
{
    uint8_t table[104];
    uint32_t length = nondet_uint32();
    struct ivrs ivrs;
    ANY(table);
    ASSUME(length <= sizeof table);
    if (ivrs_parse(table, length, &ivrs) != STATUS_OK)
        return 0;
    CLAIM(ivrs.unit_count <= 2);
    CLAIM(ivrs.unit_count < 2 || ivrs.unit[0].base != ivrs.unit[1].base);
    CLAIM(ivrs.unit_count < 1 || (ivrs.unit[0].base != 0 && ivrs.unit[0].base % PAGE_SIZE == 0));
    return 0;
}
