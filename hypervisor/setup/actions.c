/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/actions.h"

#include "hypervisor/base/clock.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/firmware_map.h"
#include "hypervisor/memory/frames.h"

bool actions_sound(const struct acpi_actions *actions, const char *table)
{
    for (uint32_t i = 0; i < actions->count; i++) {
        const struct acpi_register *reg = &actions->steps[i].reg;
        owner_t owner = frames_owner(reg->address);
        if (reg->address == 0 || reg->port ||
            (owner != OWNER_NOBODY && owner != OWNER_LOADER && owner != OWNER_HYPERVISOR))
            continue;
        log_event(
            "acpi.refused",
            "table=%s step=%u value=%#lx message=\"a register in ordinary memory; the table is "
            "not used\"",
            table, i, reg->address);
        return false;
    }
    return true;
}

static uint64_t read_register(void *context, const struct acpi_register *reg)
{
    (void)context;
    uint16_t port = (uint16_t)reg->address;
    if (reg->port)
        return reg->width == 1   ? port_read8(port)
               : reg->width == 2 ? port_read16(port)
                                 : port_read32(port);
    uintptr_t address = map_device(reg->address, reg->width);
    if (address == 0)
        return UINT64_MAX;
    uint64_t value = reg->width == 1   ? mmio_read8(address)
                     : reg->width == 2 ? mmio_read16(address)
                     : reg->width == 4 ? mmio_read32(address)
                                       : mmio_read64(address);
    unmap(address, reg->width);
    return value;
}

static void write_register(void *context, const struct acpi_register *reg, uint64_t value)
{
    (void)context;
    uint16_t port = (uint16_t)reg->address;
    uintptr_t address = reg->port ? 0 : map_device(reg->address, reg->width);
    if (reg->port && reg->width == 1)
        port_write8(port, (uint8_t)value);
    else if (reg->port && reg->width == 2)
        port_write16(port, (uint16_t)value);
    else if (reg->port)
        port_write32(port, (uint32_t)value);
    if (address == 0)
        return;
    if (reg->width == 1)
        mmio_write8(address, (uint8_t)value);
    else if (reg->width == 2)
        mmio_write16(address, (uint16_t)value);
    else if (reg->width == 4)
        mmio_write32(address, (uint32_t)value);
    else
        mmio_write64(address, value);
    unmap(address, reg->width);
}

enum status actions_run(const struct acpi_actions *actions, uint8_t action, uint64_t *value)
{
    static const struct acpi_access access = {read_register, write_register, clock_delay, NULL};
    return acpi_action_run(actions, action, &access, value);
}
