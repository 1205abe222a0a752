/* SPDX-License-Identifier: MIT */
// clang-format off
// SOURCES: hypervisor/acpi/dmar.c hypervisor/acpi/table.c hypervisor/base/string.c
// UNWIND: 8
// BOUND: any table of up to 64 bytes, any claimed length
// PLANT: hypervisor/acpi/dmar.c ==> if (size < layout->smallest || size > left) { ==> if (size < layout->smallest || size > left + 1) {
// clang-format on
/* Whatever the bytes, only bytes of the table are read, and what is found well-formed lies in it.
 */
#include "hypervisor/acpi/dmar.h"
#include "tests/prove/prove.h"

int main(void)
{
    uint8_t table[64];
    uint32_t length = nondet_uint32();
    struct dmar dmar;
    ANY(table);
    ASSUME(length <= sizeof table);
    if (dmar_parse(table, length, &dmar) != STATUS_OK)
        return 0;
    CLAIM(dmar.bytes == table);
    CLAIM(dmar.length >= 48 && dmar.length <= length);
    CLAIM(dmar.host_address_width >= 1 && dmar.host_address_width <= 52);
    return 0;
}
