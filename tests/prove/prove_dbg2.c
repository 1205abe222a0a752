/* SPDX-License-Identifier: MIT */
// clang-format off
// SOURCES: hypervisor/acpi/dbg2.c hypervisor/acpi/serial_port.c hypervisor/acpi/table.c hypervisor/base/string.c
// UNWIND: 5
// BOUND: any table of up to 124 bytes: two debug ports with an address each
// PLANT: hypervisor/acpi/dbg2.c ==> address > left - ACPI_GAS_SIZE ==> address > left
// clang-format on
/* Bytes of the table only are read, whatever its offsets say; the walk ends. */
#include "hypervisor/acpi/acpi.h"
#include "hypervisor/acpi/serial_port.h"
#include "tests/prove/prove.h"

int main(void)
{
    uint8_t table[124];
    uint32_t length = nondet_uint32();
    struct acpi_serial_port port;
    ANY(table);
    ASSUME(length <= sizeof table);
    if (dbg2_parse(table, length, &port) != STATUS_OK)
        return 0;
    CLAIM(port.address != 0 && port.divisor == 0);
    CLAIM(port.memory || (port.address <= 0xfff8 && port.stride == 1));
    CLAIM((port.width == 1 || port.width == 4) && port.width <= port.stride);
    return 0;
}
