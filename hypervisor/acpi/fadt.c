/* SPDX-License-Identifier: MIT */
#include "hypervisor/acpi/acpi.h"
#include "hypervisor/acpi/bytes.h"
#include "hypervisor/acpi/fadt.h"
#include "hypervisor/acpi/table.h"
#include "hypervisor/base/string.h"

#define FADT_NAME "FACP"

/* Offsets (ACPI 6.5, 5.2.9) */
enum {
    FADT_REVISION = 8,
    FADT_OEM = 10,
    FADT_DSDT = 40,
    FADT_SMI_COMMAND = 48,
    FADT_ACPI_ENABLE = 52,
    FADT_PM1A_EVENT = 56,
    FADT_PM1B_EVENT = 60,
    FADT_PM1A_CONTROL = 64,
    FADT_PM1B_CONTROL = 68,
    FADT_PM_TIMER = 76,
    FADT_GPE0 = 80,
    FADT_GPE1 = 84,
    FADT_PM1_EVENT_LENGTH = 88,
    FADT_PM_TIMER_LENGTH = 91,
    FADT_GPE0_LENGTH = 92,
    FADT_GPE1_LENGTH = 93,
    FADT_BOOT_FLAGS = 109,
    FADT_FLAGS = 112,
    FADT_SIZE_1 = 116, /* revision 1 ends here */
    FADT_RESET_REGISTER = 116,
    FADT_RESET_VALUE = 128,
    FADT_X_DSDT = 140,
    FADT_X_PM1A_EVENT = 148,
    FADT_X_PM1B_EVENT = 160,
    FADT_X_PM1A_CONTROL = 172,
    FADT_X_PM1B_CONTROL = 184,
    FADT_X_PM_TIMER = 208,
    FADT_X_GPE0 = 220,
    FADT_X_GPE1 = 232,
};

#define BOOT_FLAG_8042        BIT(1)
#define BOOT_FLAG_NO_RTC      BIT(5)
#define BOOT_FLAGS_REVISION   3 /* the first with these flags: before, they are zero */
#define FLAG_TIMER_32BIT      BIT(8)
#define FLAG_RESET_REGISTER   BIT(10)
#define FLAG_HARDWARE_REDUCED BIT(20)

/* Generic address structure (5.2.3.2): space, bit width, bit offset, access size, address. */
#define GAS_SIZE     12u
#define GAS_ADDRESS  4
#define SPACE_MEMORY 0
#define SPACE_PORT   1
#define SPACE_NONE   0xff

/* The extended field when the table has one that names a port, else the 32-bit field. */
static uint32_t port(const uint8_t *bytes, uint32_t length, uint32_t offset, uint32_t extended)
{
    if (extended <= length && length - extended >= GAS_SIZE && bytes[extended] == SPACE_PORT) {
        uint64_t address = read64(bytes + extended + GAS_ADDRESS);
        if (address != 0 && address <= UINT16_MAX)
            return (uint32_t)address;
    }
    uint32_t address = read32(bytes + offset);
    if (address > UINT16_MAX) {
        acpi_refuse(FADT_NAME, offset, address, "not a port number; this register is not used");
        return 0;
    }
    return address;
}

/* A block whose registers would go past the last port is not used, nor one without length. */
static uint32_t block(const uint8_t *bytes, uint32_t length, uint32_t offset, uint32_t extended,
                      uint8_t size)
{
    uint32_t first = size == 0 ? 0 : port(bytes, length, offset, extended);
    if (first + size <= UINT16_MAX + 1u)
        return first;
    acpi_refuse(FADT_NAME, offset, first, "its registers end past the last port; not used");
    return 0;
}

static void read_events(const uint8_t *bytes, uint32_t length, struct fadt *fadt)
{
    /* Two registers of two bytes at least (4.8.3.1). */
    uint8_t size = bytes[FADT_PM1_EVENT_LENGTH];
    fadt->pm1_event_length = size < 4 ? 0 : (uint8_t)(size & 0xfc);
    fadt->pm1_event_port[0] =
        block(bytes, length, FADT_PM1A_EVENT, FADT_X_PM1A_EVENT, fadt->pm1_event_length);
    fadt->pm1_event_port[1] =
        block(bytes, length, FADT_PM1B_EVENT, FADT_X_PM1B_EVENT, fadt->pm1_event_length);
    fadt->gpe_length[0] = bytes[FADT_GPE0_LENGTH] & 0xfe;
    fadt->gpe_length[1] = bytes[FADT_GPE1_LENGTH] & 0xfe;
    fadt->gpe_port[0] = block(bytes, length, FADT_GPE0, FADT_X_GPE0, fadt->gpe_length[0]);
    fadt->gpe_port[1] = block(bytes, length, FADT_GPE1, FADT_X_GPE1, fadt->gpe_length[1]);
}

static void read_reset(const uint8_t *bytes, uint32_t length, uint32_t flags, struct fadt *fadt)
{
    fadt->reset_space = SPACE_NONE;
    if ((flags & FLAG_RESET_REGISTER) == 0 || length <= FADT_RESET_VALUE)
        return;
    uint8_t space = bytes[FADT_RESET_REGISTER];
    uint64_t address = read64(bytes + FADT_RESET_REGISTER + GAS_ADDRESS);
    bool usable = (space == SPACE_PORT && address <= UINT16_MAX) ||
                  (space == SPACE_MEMORY && address < BIT(52));
    if (!usable || address == 0) {
        acpi_refuse(FADT_NAME, FADT_RESET_REGISTER, address,
                    "the reset register is neither a port nor in memory; not used");
        return;
    }
    fadt->reset_space = space;
    fadt->reset_address = address;
    fadt->reset_value = bytes[FADT_RESET_VALUE];
}

enum status fadt_parse(const void *table, uint32_t length, struct fadt *fadt)
{
    *fadt = (struct fadt){.reset_space = SPACE_NONE};
    length = acpi_usable_length(table, length, FADT_NAME, FADT_SIZE_1);
    if (length == 0)
        return STATUS_INVALID;
    const uint8_t *bytes = table;
    uint32_t flags = read32(bytes + FADT_FLAGS);
    fadt->dsdt = read32(bytes + FADT_DSDT);
    if (length >= FADT_X_DSDT + 8 && read64(bytes + FADT_X_DSDT) != 0)
        fadt->dsdt = read64(bytes + FADT_X_DSDT);
    /* Reserved, and zero, before revision 5. */
    fadt->no_rtc = (bytes[FADT_BOOT_FLAGS] & BOOT_FLAG_NO_RTC) != 0;
    fadt->no_8042 = bytes[FADT_REVISION] >= BOOT_FLAGS_REVISION &&
                    (bytes[FADT_BOOT_FLAGS] & BOOT_FLAG_8042) == 0;
    fadt->emulator = memcmp(bytes + FADT_OEM, "BOCHS ", 6) == 0;
    read_reset(bytes, length, flags, fadt);
    if ((flags & FLAG_HARDWARE_REDUCED) != 0)
        return STATUS_OK; /* the fixed registers do not exist, whatever their fields say */
    fadt->smi_command_port = port(bytes, length, FADT_SMI_COMMAND, length);
    fadt->acpi_enable = bytes[FADT_ACPI_ENABLE];
    fadt->pm1a_control_port = port(bytes, length, FADT_PM1A_CONTROL, FADT_X_PM1A_CONTROL);
    fadt->pm1b_control_port = port(bytes, length, FADT_PM1B_CONTROL, FADT_X_PM1B_CONTROL);
    read_events(bytes, length, fadt);
    if (bytes[FADT_PM_TIMER_LENGTH] == 4)
        fadt->pm_timer_port = port(bytes, length, FADT_PM_TIMER, FADT_X_PM_TIMER);
    fadt->pm_timer_32bit = (flags & FLAG_TIMER_32BIT) != 0;
    return STATUS_OK;
}

/* --- the \_S5 package in the DSDT: bytes of AML (ACPI 6.5, 20.2) --- */
enum { AML_ZERO = 0x00, AML_ONE = 0x01, AML_NAME = 0x08, AML_PACKAGE = 0x12 };

/* Bytes that follow the prefix of an integer constant (20.2.3), by prefix from 0x0a. */
static const uint8_t integer_bytes[] = {[0] = 1, [1] = 2, [2] = 4, [4] = 8};

/* Reads an integer constant at *offset; SLP_TYP is its low three bits (4.8.4.2). */
static bool read_sleep_type(const uint8_t *bytes, uint32_t length, uint32_t *offset, uint8_t *value)
{
    if (*offset >= length)
        return false;
    uint8_t prefix = bytes[(*offset)++];
    if (prefix == AML_ZERO || prefix == AML_ONE) {
        *value = prefix;
        return true;
    }
    uint32_t index = prefix - 0x0au;
    if (index >= ARRAY_SIZE(integer_bytes) || integer_bytes[index] == 0 ||
        integer_bytes[index] > length - *offset)
        return false;
    *value = bytes[*offset] & 7;
    *offset += integer_bytes[index];
    return true;
}

static bool read_package(const uint8_t *bytes, uint32_t length, uint32_t offset, uint8_t *a,
                         uint8_t *b)
{
    if (length - offset < 3 || bytes[offset] != AML_PACKAGE)
        return false;
    offset++;
    offset += 1u + (bytes[offset] >> 6); /* PkgLength: bits 7:6 count the bytes that follow */
    if (offset >= length || bytes[offset] < 2)
        return false;
    offset++;
    return read_sleep_type(bytes, length, &offset, a) && read_sleep_type(bytes, length, &offset, b);
}

enum status dsdt_find_s5(const void *table, uint32_t length, uint8_t *slp_typ_a, uint8_t *slp_typ_b)
{
    const uint32_t first = sizeof(struct acpi_header);
    length = acpi_usable_length(table, length, "DSDT", first);
    const uint8_t *bytes = table;
    for (uint32_t at = first + 1; at + 4 < length; at++) {
        if (memcmp(bytes + at, "_S5_", 4) != 0)
            continue;
        bool named = bytes[at - 1] == AML_NAME ||
                     (bytes[at - 1] == '\\' && at - 2 >= first && bytes[at - 2] == AML_NAME);
        if (named && read_package(bytes, length, at + 4, slp_typ_a, slp_typ_b))
            return STATUS_OK;
    }
    return STATUS_NOT_FOUND;
}
