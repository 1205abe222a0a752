#include "drivers/serial/serial.h"

#include "hypervisor/base/clock.h"
#include "hypervisor/base/mmio.h"

#define SERIAL_PORT 0x3f8

/* PC16550D data sheet, table II. */
enum serial_register {
    SERIAL_DATA = SERIAL_PORT + 0,       /* receive, transmit; divisor low with DLAB */
    SERIAL_INTERRUPTS = SERIAL_PORT + 1, /* interrupt enable; divisor high with DLAB */
    SERIAL_FIFO = SERIAL_PORT + 2,
    SERIAL_LINE = SERIAL_PORT + 3,
    SERIAL_MODEM = SERIAL_PORT + 4,
    SERIAL_LINE_STATUS = SERIAL_PORT + 5,
    SERIAL_SCRATCH = SERIAL_PORT + 7,
};

#define LINE_8N1            0x03
#define LINE_DIVISOR_ACCESS 0x80
#define FIFO_ENABLE_CLEAR   0xc7 /* enable, clear both, receive threshold 14 */
#define MODEM_READY         0x03 /* DTR, RTS */
#define STATUS_RECEIVED     0x01
#define STATUS_ROOM         0x20 /* the transmit FIFO is empty */
#define STATUS_IDLE         0x40 /* and so is the shift register */
#define STATUS_NO_PORT      0xff
#define FIFO_SIZE           16
#define DIVISOR_115200      1

static bool present;
static bool stuck;
static unsigned room; /* bytes the FIFO still takes without another look */

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
    present = answers();
    if (!present)
        return false;
    port_write8(SERIAL_INTERRUPTS, 0);
    port_write8(SERIAL_LINE, LINE_DIVISOR_ACCESS);
    port_write8(SERIAL_DATA, DIVISOR_115200);
    port_write8(SERIAL_INTERRUPTS, 0);
    port_write8(SERIAL_LINE, LINE_8N1);
    port_write8(SERIAL_FIFO, FIFO_ENABLE_CLEAR);
    port_write8(SERIAL_MODEM, MODEM_READY);
    room = 0;
    return true;
}

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
    while (present && size > 0) {
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
    if (present && !stuck)
        (void)WAIT_UNTIL(idle(), MILLISECONDS(100));
}

int serial_read(void)
{
    if (!present || (port_read8(SERIAL_LINE_STATUS) & STATUS_RECEIVED) == 0)
        return -1;
    return port_read8(SERIAL_DATA);
}
