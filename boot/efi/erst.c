/* SPDX-License-Identifier: MIT */
/* Firmware's store for error records: reads the record that a crash of the last run left there, and
 * takes it out. The firmware's own mapping, in which all is mapped as it lies, is still in use. */
#include "boot/efi/preflight.h"

#include "hypervisor/acpi/erst.h"
#include "hypervisor/acpi/find.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/base/string.h"

#define BUSY_MS 2000

static struct acpi_actions actions;

static uint64_t read_register(void *context, const struct acpi_register *reg)
{
    (void)context;
    UINTN address = (UINTN)reg->address;
    if (reg->port)
        return reg->width == 1   ? port_read8((uint16_t)address)
               : reg->width == 2 ? port_read16((uint16_t)address)
                                 : port_read32((uint16_t)address);
    return reg->width == 1   ? mmio_read8(address)
           : reg->width == 2 ? mmio_read16(address)
           : reg->width == 4 ? mmio_read32(address)
                             : mmio_read64(address);
}

static void write_register(void *context, const struct acpi_register *reg, uint64_t value)
{
    (void)context;
    UINTN address = (UINTN)reg->address;
    if (reg->port && reg->width == 1)
        port_write8((uint16_t)address, (uint8_t)value);
    else if (reg->port && reg->width == 2)
        port_write16((uint16_t)address, (uint16_t)value);
    else if (reg->port)
        port_write32((uint16_t)address, (uint32_t)value);
    else if (reg->width == 1)
        mmio_write8(address, (uint8_t)value);
    else if (reg->width == 2)
        mmio_write16(address, (uint16_t)value);
    else if (reg->width == 4)
        mmio_write32(address, (uint32_t)value);
    else
        mmio_write64(address, value);
}

static void stall(uint64_t microseconds)
{
    efi_system->BootServices->Stall((UINTN)microseconds);
}

static bool run(enum erst_action action, uint64_t *value)
{
    static const struct acpi_access access = {read_register, write_register, stall, NULL};
    return acpi_action_run(&actions, (uint8_t)action, &access, value) == STATUS_OK;
}

/* From "begin" to "end"; whether the store has done it. */
static bool operate(enum erst_action begin)
{
    uint64_t offset = 0, id = ERST_RECORD_ID, none = 0, busy = 1, result = UINT64_MAX;
    bool done = run(begin, &none) && (begin == ERST_BEGIN_CLEAR || run(ERST_SET_OFFSET, &offset)) &&
                run(ERST_SET_ID, &id) && run(ERST_EXECUTE, &none);
    for (unsigned waited = 0; done && busy != 0; waited++) {
        done = run(ERST_BUSY, &busy) && waited < BUSY_MS;
        if (busy != 0)
            stall(1000);
    }
    done = done && run(ERST_STATUS, &result) && result == 0;
    return run(ERST_END, &none) && done;
}

bool erst_read(UINT64 *words, UINTN *size)
{
    uint32_t table_length;
    const void *table = acpi_find(&access_memory, platform_rsdp(), "ERST", &table_length);
    struct acpi_problem problem;
    uint64_t range = 0, length = 0, attributes = 0;
    if (table == NULL || erst_parse(table, table_length, &actions, &problem) != STATUS_OK ||
        !run(ERST_RANGE, &range) || !run(ERST_RANGE_LENGTH, &length) || range == 0 ||
        !IS_ALIGNED(range, 8) || length < ERST_LEAST || length > GIB(1) ||
        (run(ERST_RANGE_ATTRIBUTES, &attributes) && (attributes & ERST_RANGE_NO_BUFFER) != 0) ||
        !operate(ERST_BEGIN_READ))
        return false;
    const volatile uint64_t *from = (const volatile uint64_t *)(UINTN)range;
    struct erst_record record;
    for (UINTN i = 0; i < sizeof record / 8; i++) {
        uint64_t word = from[i];
        memcpy((uint8_t *)&record + 8 * i, &word, sizeof word);
    }
    UINTN bytes = erst_record_words(&record, length);
    *size = MIN(bytes, *size);
    for (UINTN i = 0; i < *size / 8; i++)
        words[i] = from[sizeof record / 8 + i];
    return bytes != 0;
}

bool erst_clear(void)
{
    return operate(ERST_BEGIN_CLEAR);
}
