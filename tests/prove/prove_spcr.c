/* SPDX-License-Identifier: MIT */
// clang-format off
// SOURCES: hypervisor/acpi/spcr.c hypervisor/acpi/serial_port.c hypervisor/acpi/table.c hypervisor/base/string.c
// UNWIND: 5
// BOUND: any table of up to 92 bytes, which is all fixed fields of revision 4
// PLANT: hypervisor/acpi/serial_port.c ==> (uint64_t)port->stride) || address >= BIT(52)) { ==> (uint64_t)port->stride)) {
// clang-format on
/* Bytes of the table only are read; a port is a port whose eight registers exist, an address is
 * aligned and can exist, stride and width are a 16550's. */
#include "hypervisor/acpi/acpi.h"
#include "hypervisor/acpi/serial_port.h"
#include "tests/prove/prove.h"

int main(void)
{
    uint8_t table[92];
    uint32_t length = nondet_uint32();
    struct acpi_serial_port port;
    ANY(table);
    ASSUME(length <= sizeof table);
    if (spcr_parse(table, length, &port) != STATUS_OK)
        return 0;
    CLAIM(port.address != 0 && port.divisor <= 0xffff);
    CLAIM(port.memory || (port.address <= 0xfff8 && port.stride == 1));
    CLAIM(port.stride == 1 || port.stride == 2 || port.stride == 4);
    CLAIM((port.width == 1 || port.width == 4) && port.width <= port.stride);
    CLAIM(!port.memory || (port.address < BIT(52) && port.address % port.stride == 0));
    return 0;
}
