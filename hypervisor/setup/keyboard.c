/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/keyboard.h"

#include "drivers/keyboard/keyboard_registers.h"
#include "hypervisor/base/clock.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/x86/registers.h"

#define COMMAND_READ_BYTE 0x20
#define COMMAND_BYTE_ZERO BIT(7) /* reserved in the command byte */
#define LEFT_OVER         32     /* bytes, more than any controller keeps */
#define LOOKS             8

static bool full(void)
{
    return (port_read8(PORT_STATUS) & STATUS_OUTPUT) != 0;
}

static bool takes_input(void)
{
    return (port_read8(PORT_STATUS) & STATUS_INPUT) == 0;
}

static bool answers(void)
{
    if (port_read8(PORT_STATUS) == STATUS_NONE)
        return false;
    for (unsigned i = 0; i < LEFT_OVER && full(); i++)
        (void)port_read8(PORT_DATA);
    if (full() || !WAIT_UNTIL(takes_input(), MILLISECONDS(100)))
        return false;
    port_write8(PORT_STATUS, COMMAND_READ_BYTE);
    return WAIT_UNTIL(full(), MILLISECONDS(100)) &&
           (port_read8(PORT_DATA) & COMMAND_BYTE_ZERO) == 0;
}

/* Firmware that emulates a controller for USB keyboards gets a system management interrupt at each
 * access to its ports. */
static bool is_trapped(void)
{
    uint64_t before, after;
    if (!msr_read_safe(MSR_SMI_COUNT, &before))
        return false;
    for (unsigned i = 0; i < LOOKS; i++)
        (void)port_read8(PORT_STATUS);
    return msr_read_safe(MSR_SMI_COUNT, &after) && (uint32_t)after - (uint32_t)before >= LOOKS;
}

enum keyboard_found keyboard_probe(void)
{
    if (!answers())
        return KEYBOARD_ABSENT;
    return is_trapped() ? KEYBOARD_TRAPPED : KEYBOARD_FOUND;
}
