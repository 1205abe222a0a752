/* SPDX-License-Identifier: MIT */
#include "hypervisor/acpi/bytes.h"
#include "hypervisor/acpi/serial_port.h"
#include "hypervisor/acpi/table.h"

#define SPCR_NAME "SPCR"

/* Offsets (SPCR revision 4, table 1) */
enum {
    SPCR_REVISION = 8,
    SPCR_TYPE = 36,
    SPCR_ADDRESS = 40,
    SPCR_BAUD = 58,
    SPCR_SIZE_1 = 64, /* what every revision has of what is used here */
    SPCR_CLOCK = 76,  /* revision 3 */
    SPCR_PRECISE = 80 /* baud, revision 4 */
};

#define PC_CLOCK 1843200u /* Hz, of the UART of every PC */
#define SAMPLES  16u      /* clocks a bit */

/* By code; the others are reserved. */
static const uint32_t baud_rates[] = {[3] = 9600, [4] = 19200, [6] = 57600, [7] = 115200};

/* 0, as firmware has set it, when the table does not say enough. Registers in memory may run on any
 * clock. */
static uint32_t divisor(const uint8_t *bytes, uint32_t length, bool memory)
{
    uint8_t code = bytes[SPCR_BAUD];
    uint32_t baud = code < ARRAY_SIZE(baud_rates) ? baud_rates[code] : 0;
    uint32_t clock = memory ? 0 : PC_CLOCK;
    if (code != 0 && baud == 0)
        acpi_refuse(SPCR_NAME, SPCR_BAUD, code, "a baud rate that has no meaning; left as it is");
    if (bytes[SPCR_REVISION] >= 3 && length >= SPCR_CLOCK + 4 && read32(bytes + SPCR_CLOCK) != 0)
        clock = read32(bytes + SPCR_CLOCK);
    if (bytes[SPCR_REVISION] >= 4 && length >= SPCR_PRECISE + 4 &&
        read32(bytes + SPCR_PRECISE) != 0)
        baud = read32(bytes + SPCR_PRECISE);
    uint64_t samples = (uint64_t)baud * SAMPLES;
    uint64_t result = samples != 0 ? clock / samples : 0;
    return result <= UINT16_MAX ? (uint32_t)result : 0;
}

enum status spcr_parse(const void *table, uint32_t length, struct acpi_serial_port *port)
{
    *port = (struct acpi_serial_port){0};
    length = acpi_usable_length(table, length, SPCR_NAME, SPCR_SIZE_1);
    if (length == 0)
        return STATUS_INVALID;
    const uint8_t *bytes = table;
    enum status status =
        acpi_serial_read(SPCR_NAME, bytes, SPCR_TYPE, bytes[SPCR_TYPE], SPCR_ADDRESS, port);
    if (status == STATUS_OK)
        port->divisor = divisor(bytes, length, port->memory);
    return status;
}
