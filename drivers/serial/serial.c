/* SPDX-License-Identifier: MIT */
#include "drivers/serial/serial.h"

#include "drivers/serial/serial_registers.h"
#include "hypervisor/base/clock.h"
#include "hypervisor/base/mmio.h"

#define FIFO_SIZE 16

static bool stuck;
static unsigned room; /* bytes the FIFO still takes without another look */

static bool has_room(void)
{
    return (port_read8(SERIAL_LINE_STATUS) & STATUS_ROOM) != 0;
}

static bool wait_for_room(void)
{
    if (room > 0)
        return true;
    if (stuck ? !has_room() : !WAIT_UNTIL(has_room(), MILLISECONDS(100))) {
        stuck = true;
        return false;
    }
    stuck = false;
    room = FIFO_SIZE;
    return true;
}

void serial_write(const char *text, size_t size)
{
    while (size > 0) {
        if (!wait_for_room())
            return;
        size_t count = MIN(size, (size_t)room);
        port_write8_all(SERIAL_DATA, text, count);
        room -= (unsigned)count;
        text += count;
        size -= count;
    }
}

static bool idle(void)
{
    return (port_read8(SERIAL_LINE_STATUS) & STATUS_IDLE) != 0;
}

void serial_flush(void)
{
    if (!stuck)
        (void)WAIT_UNTIL(idle(), MILLISECONDS(100));
}

int serial_read(void)
{
    if ((port_read8(SERIAL_LINE_STATUS) & STATUS_RECEIVED) == 0)
        return -1;
    return port_read8(SERIAL_DATA);
}
