/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/serial.h"

#include "drivers/serial/serial_registers.h"
#include "hypervisor/base/mmio.h"

/* With LINE_DIVISOR_ACCESS SERIAL_DATA and INTERRUPTS are the divisor's low and high byte. */
enum {
    INTERRUPTS = 1,
    FIFO = 2, /* written; read it is the interrupt identification */
    LINE = 3,
    MODEM = 4,
    MODEM_STATUS = 6,
    SCRATCH = 7
};

#define LINE_8N1            0x03
#define LINE_DIVISOR_ACCESS 0x80
#define FIFO_ENABLE_CLEAR   0xc7 /* enable, clear both, receive threshold 14 */
#define FIFO_ENABLED        0xc0 /* in the interrupt identification */
#define FIFO_SIZE           16
#define MODEM_READY         0x03 /* DTR, RTS */
#define MODEM_LOOP_TEST     0x1a /* loopback, OUT2, RTS: comes back as DCD and CTS */
#define MODEM_STATUS_TEST   0x90
#define MODEM_STATUS_LINES  0xf0
/* Always zero in a 16550; later ones of the family use bits 5 and 4. */
#define INTERRUPTS_ZERO 0xc0
#define MODEM_ZERO      0xc0

#define read serial_register_read

static void write(unsigned number, uint8_t value)
{
    uintptr_t place = serial_port.base + (uintptr_t)number * serial_port.stride;
    if (!serial_port.memory)
        port_write8((uint16_t)place, value);
    else if (serial_port.width == 4)
        mmio_write32(place, value);
    else
        mmio_write8(place, value);
}

/* What reading alone tells: where something else is, nothing is written. */
static bool looks_like_one(void)
{
    return read(SERIAL_LINE_STATUS) != STATUS_NO_PORT &&
           (read(INTERRUPTS) & INTERRUPTS_ZERO) == 0 && (read(MODEM) & MODEM_ZERO) == 0;
}

static bool keeps_scratch(void)
{
    static const uint8_t patterns[] = {0x5a, 0xa5};
    for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
        write(SCRATCH, patterns[i]);
        if (read(SCRATCH) != patterns[i])
            return false;
    }
    return true;
}

/* The modem's lines in loopback (PC16550D 8.6.7): memory, which keeps any byte, has none. */
static bool loops_back(void)
{
    uint8_t modem = read(MODEM);
    write(MODEM, MODEM_LOOP_TEST);
    bool result = (read(MODEM_STATUS) & MODEM_STATUS_LINES) == MODEM_STATUS_TEST;
    write(MODEM, modem);
    return result;
}

static const char *problem(const struct serial_place *place)
{
    if (!looks_like_one())
        return "nothing answers there like a 16550";
    bool scratch = keeps_scratch();
    if (place->memory && !place->known)
        return scratch && loops_back() ? NULL
                                       : "what answers there is no 16550, which has its modem's "
                                         "lines in loopback and a scratch register";
    /* Those of management controllers may lack one of the two. */
    return scratch || loops_back() ? NULL : "what answers there keeps no scratch byte";
}

static void set_up(uint32_t divisor)
{
    write(INTERRUPTS, 0);
    if (divisor != 0) {
        write(LINE, LINE_DIVISOR_ACCESS);
        write(SERIAL_DATA, (uint8_t)divisor);
        write(INTERRUPTS, (uint8_t)(divisor >> 8));
    }
    write(LINE, LINE_8N1);
    write(FIFO, FIFO_ENABLE_CLEAR);
    write(MODEM, MODEM_READY);
    serial_port.fifo = (read(FIFO) & FIFO_ENABLED) == FIFO_ENABLED ? FIFO_SIZE : 1;
}

const char *serial_open(const struct serial_place *place, uintptr_t base)
{
    struct serial_port before = serial_port;
    serial_port = (struct serial_port){
        .base = base, .memory = place->memory, .stride = place->stride, .width = place->width};
    const char *found = problem(place);
    if (found == NULL)
        set_up(place->divisor);
    else
        serial_port = before;
    return found;
}

void serial_move(uintptr_t base)
{
    serial_port.base = base;
}
