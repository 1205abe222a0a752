/* SPDX-License-Identifier: MIT */
// clang-format off
// SOURCES: hypervisor/acpi/fadt.c hypervisor/acpi/table.c hypervisor/base/string.c
// UNWIND: 7
// BOUND: any table of up to 276 bytes, which is all fields of ACPI 6.5
// PLANT: hypervisor/acpi/fadt.c ==> (space == SPACE_MEMORY && address < BIT(52)); ==> (space == SPACE_MEMORY);
// clang-format on
/* Ports are ports, the reset register is one that can be written, and bytes of the table only are
 * read. */
#include "hypervisor/acpi/acpi.h"
#include "hypervisor/acpi/fadt.h"
#include "tests/prove/prove.h"

int main(void)
{
    uint8_t table[276];
    uint32_t length = nondet_uint32();
    struct fadt fadt;
    ANY(table);
    ASSUME(length <= sizeof table);
    if (fadt_parse(table, length, &fadt) != STATUS_OK)
        return 0;
    CLAIM(fadt.pm_timer_port <= 0xffff && fadt.smi_command_port <= 0xffff);
    CLAIM(fadt.pm1a_control_port <= 0xffff && fadt.pm1b_control_port <= 0xffff);
    for (unsigned i = 0; i < 2; i++) {
        CLAIM(fadt.pm1_event_port[i] + fadt.pm1_event_length <= 0x10000);
        CLAIM(fadt.gpe_port[i] + fadt.gpe_length[i] <= 0x10000);
    }
    CLAIM(fadt.reset_space <= 1 || fadt.reset_space == 0xff);
    CLAIM(fadt.reset_space != 1 || fadt.reset_address <= 0xffff);
    CLAIM(fadt.reset_space != 0 || fadt.reset_address < BIT(52));
    return 0;
}
