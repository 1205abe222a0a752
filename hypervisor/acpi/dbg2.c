/* SPDX-License-Identifier: MIT */
#include "hypervisor/acpi/bytes.h"
#include "hypervisor/acpi/serial_port.h"
#include "hypervisor/acpi/table.h"

#define DBG2_NAME  "DBG2"
#define DBG2_INFO  36 /* offset of the first device */
#define DBG2_COUNT 40
#define DBG2_SIZE  44u

/* Debug device information (DBG2, table 2) */
enum {
    DEVICE_LENGTH = 1,
    DEVICE_REGISTERS = 3,
    DEVICE_TYPE = 12,
    DEVICE_SUBTYPE = 14,
    DEVICE_ADDRESSES = 18,
    DEVICE_SIZE = 22
};
#define TYPE_SERIAL 0x8000

static const char *type_name(uint16_t type)
{
    static const char *const names[] = {[1] = "the debug port is on IEEE 1394; not used",
                                        [2] = "the debug port is on USB; not used",
                                        [3] = "the debug port is a network card; not used"};
    unsigned index = type - TYPE_SERIAL;
    return index < ARRAY_SIZE(names) && names[index] != NULL
               ? names[index]
               : "the debug port is not a serial port; not used";
}

/* `left` bytes of the table begin at `offset`. */
static enum status read_device(const uint8_t *bytes, uint32_t offset, uint32_t left,
                               struct acpi_serial_port *port)
{
    const uint8_t *device = bytes + offset;
    uint16_t type = read16(device + DEVICE_TYPE);
    uint32_t address = read16(device + DEVICE_ADDRESSES);
    if (type != TYPE_SERIAL) {
        acpi_refuse(DBG2_NAME, offset + DEVICE_TYPE, type, type_name(type));
        return STATUS_UNSUPPORTED;
    }
    if (device[DEVICE_REGISTERS] == 0 || address < DEVICE_SIZE || left < ACPI_GAS_SIZE ||
        address > left - ACPI_GAS_SIZE) {
        acpi_refuse(DBG2_NAME, offset + DEVICE_ADDRESSES, address,
                    "the debug port's address is outside of its description; not used");
        return STATUS_INVALID;
    }
    return acpi_serial_read(DBG2_NAME, bytes, offset + DEVICE_SUBTYPE,
                            read16(device + DEVICE_SUBTYPE), offset + address, port);
}

enum status dbg2_parse(const void *table, uint32_t length, struct acpi_serial_port *port)
{
    *port = (struct acpi_serial_port){0};
    length = acpi_usable_length(table, length, DBG2_NAME, DBG2_SIZE);
    if (length == 0)
        return STATUS_INVALID;
    const uint8_t *bytes = table;
    uint32_t offset = read32(bytes + DBG2_INFO), count = read32(bytes + DBG2_COUNT);
    enum status result = STATUS_NOT_FOUND;
    for (uint32_t i = 0; i < count && result != STATUS_OK; i++) {
        uint32_t left = offset < length ? length - offset : 0;
        uint32_t size = left >= DEVICE_SIZE ? read16(bytes + offset + DEVICE_LENGTH) : 0;
        if (offset < DBG2_SIZE || size < DEVICE_SIZE || size > left) {
            acpi_refuse(DBG2_NAME, i == 0 ? DBG2_INFO : offset, i == 0 ? offset : size,
                        "a debug port's description is cut off; it and what follows are ignored");
            return result == STATUS_NOT_FOUND ? STATUS_INVALID : result;
        }
        result = read_device(bytes, offset, size, port);
        offset += size;
    }
    return result;
}
