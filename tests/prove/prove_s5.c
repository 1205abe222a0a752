/* SPDX-License-Identifier: MIT */
// clang-format off
// SOURCES: hypervisor/acpi/fadt.c hypervisor/acpi/table.c hypervisor/base/string.c
// UNWIND: 30
// BOUND: any DSDT of up to 64 bytes
// PLANT: hypervisor/acpi/fadt.c ==> integer_bytes[index] > length - *offset) ==> integer_bytes[index] > length)
// clang-format on
/* The search for the sleep type reads bytes of the table only, and finds values of three bits. */
#include "hypervisor/acpi/acpi.h"
#include "hypervisor/acpi/fadt.h"
#include "tests/prove/prove.h"

int main(void)
{
    uint8_t table[64], a, b;
    uint32_t length = nondet_uint32();
    ANY(table);
    ASSUME(length <= sizeof table);
    if (dsdt_find_s5(table, length, &a, &b) == STATUS_OK)
        CLAIM(a <= 7 && b <= 7);
    return 0;
}
