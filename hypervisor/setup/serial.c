/* SPDX-License-Identifier: MIT */
#include "drivers/serial/serial.h"
#include "drivers/serial/serial_registers.h"
#include "hypervisor/base/mmio.h"

/* With LINE_DIVISOR_ACCESS SERIAL_DATA and SERIAL_INTERRUPTS are the divisor's low and high byte.
 */
#define SERIAL_INTERRUPTS (SERIAL_PORT + 1)
#define SERIAL_FIFO       (SERIAL_PORT + 2)
#define SERIAL_LINE       (SERIAL_PORT + 3)
#define SERIAL_MODEM      (SERIAL_PORT + 4)
#define SERIAL_SCRATCH    (SERIAL_PORT + 7)

#define LINE_8N1            0x03
#define LINE_DIVISOR_ACCESS 0x80
#define FIFO_ENABLE_CLEAR   0xc7 /* enable, clear both, receive threshold 14 */
#define MODEM_READY         0x03 /* DTR, RTS */
#define STATUS_NO_PORT      0xff
#define DIVISOR_115200      1

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
