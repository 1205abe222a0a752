/* SPDX-License-Identifier: MIT */
#include "drivers/keyboard/keyboard.h"
#include "drivers/keyboard/keyboard_registers.h"
#include "hypervisor/base/mmio.h"

bool keyboard_init(void)
{
    return port_read8(PORT_STATUS) != STATUS_NONE;
}
