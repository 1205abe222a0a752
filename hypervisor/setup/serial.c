/* SPDX-License-Identifier: MIT */
#include "drivers/serial/serial.h"
#include "drivers/serial/serial_registers.h"
#include "hypervisor/base/mmio.h"

static bool answers(void)
{
    static const uint8_t patterns[] = {0x5a, 0xa5};
    for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
        port_write8(SERIAL_SCRATCH, patterns[i]);
        if (port_read8(SERIAL_SCRATCH) != patterns[i])
            return false;
    }
    return port_read8(SERIAL_LINE_STATUS) != STATUS_NO_PORT;
}

bool serial_init(void)
{
    if (!answers())
        return false;
    port_write8(SERIAL_INTERRUPTS, 0);
    port_write8(SERIAL_LINE, LINE_DIVISOR_ACCESS);
    port_write8(SERIAL_DATA, DIVISOR_115200);
    port_write8(SERIAL_INTERRUPTS, 0);
    port_write8(SERIAL_LINE, LINE_8N1);
    port_write8(SERIAL_FIFO, FIFO_ENABLE_CLEAR);
    port_write8(SERIAL_MODEM, MODEM_READY);
    return true;
}
