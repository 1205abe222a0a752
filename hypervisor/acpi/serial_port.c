/* SPDX-License-Identifier: MIT */
#include "hypervisor/acpi/serial_port.h"

#include "hypervisor/acpi/bytes.h"
#include "hypervisor/acpi/table.h"

/* Generic address structure (ACPI 6.5, 5.2.3.2) */
#define GAS_SPACE    0
#define GAS_WIDTH    1 /* bits; for a serial port: from one register to the next */
#define GAS_ACCESS   3 /* 1: byte, 2: word, 3: dword, 0: not said */
#define GAS_ADDRESS  4
#define SPACE_MEMORY 0
#define SPACE_PORT   1

#define REGISTERS 8u

#define OTHER(name) "the serial port is of type " name ", not a 16550; not used"
static const char *const other_types[] = {
    [0x02] = OTHER("MAX311xE on SPI"),
    [0x03] = OTHER("Arm PL011"),
    [0x04] = OTHER("MSM8x60"),
    [0x06] = OTHER("TI OMAP"),
    [0x08] = OTHER("APM88xxxx"),
    [0x09] = OTHER("MSM8974"),
    [0x0a] = OTHER("SAM5250"),
    [0x0b] = OTHER("Intel USIF"),
    [0x0c] = OTHER("i.MX 6"),
    [0x0d] = OTHER("Arm SBSA (32 bit)"),
    [0x0e] = OTHER("Arm SBSA"),
    [0x0f] = OTHER("Arm DCC"),
    [0x10] = OTHER("BCM2835"),
    [0x11] = OTHER("SDM845 (1.8 MHz)"),
    [0x13] = OTHER("SDM845 (7.4 MHz)"),
    [0x14] = OTHER("Intel LPSS"),
    [0x15] = OTHER("RISC-V SBI console"),
};

static bool is_16550(uint16_t type)
{
    return type == ACPI_SERIAL_16550 || type == ACPI_SERIAL_16550_SUBSET ||
           type == ACPI_SERIAL_NVIDIA || type == ACPI_SERIAL_16550_GAS;
}

static enum status refuse_type(const char *name, uint32_t offset, uint16_t type)
{
    const char *known = type < ARRAY_SIZE(other_types) ? other_types[type] : NULL;
    acpi_refuse(name, offset, type, known != NULL ? known : OTHER("unknown"));
    return STATUS_UNSUPPORTED;
}

/* Bytes of an access; 0 for one that no 16550 has. Some firmware gives bits in place of the code,
 * and an access of which nothing is said is a byte. The low byte of two holds all of a register. */
static uint8_t access_width(uint8_t code)
{
    static const uint8_t widths[] = {
        [0] = 1, [1] = 1, [2] = 2, [3] = 4, [8] = 1, [16] = 2, [32] = 4};
    return code < ARRAY_SIZE(widths) ? widths[code] : 0;
}

/* The stride that bit width and access ask for; 0 when no 16550 has it. */
static uint8_t memory_stride(uint16_t type, uint8_t bits, uint8_t width)
{
    unsigned stride = MAX(type == ACPI_SERIAL_NVIDIA ? 4u : bits / 8u, (unsigned)width);
    bool possible = width != 0 && bits % 8 == 0 && (stride == 1 || stride == 2 || stride == 4);
    return possible ? (uint8_t)stride : 0;
}

enum status acpi_serial_read(const char *name, const uint8_t *bytes, uint32_t type_offset,
                             uint16_t type, uint32_t offset, struct acpi_serial_port *port)
{
    const uint8_t *gas = bytes + offset;
    uint64_t address = read64(gas + GAS_ADDRESS);
    if (!is_16550(type))
        return refuse_type(name, type_offset, type);
    if (address == 0)
        return STATUS_NOT_FOUND;
    port->memory = gas[GAS_SPACE] == SPACE_MEMORY;
    port->address = address;
    port->stride = port->width = 1;
    if (gas[GAS_SPACE] != SPACE_MEMORY && gas[GAS_SPACE] != SPACE_PORT) {
        acpi_refuse(name, offset + GAS_SPACE, gas[GAS_SPACE],
                    "the serial port is neither at an I/O port nor in memory; not used");
        return STATUS_INVALID;
    }
    if (!port->memory && address > UINT16_MAX - (REGISTERS - 1)) {
        acpi_refuse(name, offset + GAS_ADDRESS, address,
                    "eight registers at this I/O port do not exist; not used");
        return STATUS_INVALID;
    }
    if (!port->memory)
        return STATUS_OK;
    uint8_t width = access_width(gas[GAS_ACCESS]);
    port->width = width == 4 ? 4 : 1;
    port->stride = memory_stride(type, gas[GAS_WIDTH], width);
    if (port->stride == 0) {
        acpi_refuse(name, offset + GAS_WIDTH, (uint64_t)gas[GAS_ACCESS] << 8 | gas[GAS_WIDTH],
                    "a 16550 has registers of 8, 16 or 32 bits; not used");
        return STATUS_INVALID;
    }
    if (!IS_ALIGNED(address, (uint64_t)port->stride) || address >= BIT(52)) {
        acpi_refuse(name, offset + GAS_ADDRESS, address,
                    "not an address that registers of this width can have; not used");
        return STATUS_INVALID;
    }
    return STATUS_OK;
}
