/* SPDX-License-Identifier: MIT */
#include "drivers/serial/serial.h"

#include "drivers/serial/serial_registers.h"
#include "hypervisor/base/clock.h"
#include "hypervisor/base/mmio.h"

struct serial_port serial_port;

static uintptr_t place_of(unsigned number)
{
    return serial_port.base + (uintptr_t)number * serial_port.stride;
}

uint8_t serial_register_read(unsigned number)
{
    if (!serial_port.memory)
        return port_read8((uint16_t)place_of(number));
    return serial_port.width == 4 ? (uint8_t)mmio_read32(place_of(number))
                                  : mmio_read8(place_of(number));
}

static bool has_room(void)
{
    return (serial_register_read(SERIAL_LINE_STATUS) & STATUS_ROOM) != 0;
}

static bool wait_for_room(void)
{
    if (serial_port.room > 0)
        return true;
    serial_port.stuck =
        serial_port.stuck ? !has_room() : !WAIT_UNTIL(has_room(), MILLISECONDS(100));
    if (!serial_port.stuck)
        serial_port.room = serial_port.fifo;
    return !serial_port.stuck;
}

void serial_write(const char *text, size_t size)
{
    while (size > 0) {
        if (!wait_for_room())
            return;
        size_t count = MIN(size, (size_t)serial_port.room);
        if (!serial_port.memory)
            port_write8_all((uint16_t)place_of(SERIAL_DATA), text, count);
        for (size_t i = 0; serial_port.memory && i < count; i++)
            if (serial_port.width == 4)
                mmio_write32(place_of(SERIAL_DATA), (uint8_t)text[i]);
            else
                mmio_write8(place_of(SERIAL_DATA), (uint8_t)text[i]);
        serial_port.room -= (uint32_t)count;
        text += count;
        size -= count;
    }
}

static bool idle(void)
{
    return (serial_register_read(SERIAL_LINE_STATUS) & STATUS_IDLE) != 0;
}

void serial_flush(void)
{
    if (!serial_port.stuck)
        (void)WAIT_UNTIL(idle(), MILLISECONDS(100));
}

/* A card that has gone away reads as all ones, which is not a byte that arrived. */
int serial_read(void)
{
    uint8_t status = serial_register_read(SERIAL_LINE_STATUS);
    if ((status & STATUS_RECEIVED) == 0 || status == STATUS_NO_PORT)
        return -1;
    return serial_register_read(SERIAL_DATA);
}
