/* SPDX-License-Identifier: MIT */
#include "hypervisor/vdev/virtual_serial.h"

#include "hypervisor/base/lock.h"

/* PC16550D data sheet, table 2: registers by offset. With LCR.DLAB the first two are the divisor.
 */
enum {
    REGISTER_DATA,
    REGISTER_IER,
    REGISTER_IIR_FCR,
    REGISTER_LCR,
    REGISTER_MCR,
    REGISTER_LSR,
    REGISTER_MSR,
    REGISTER_SCR
};

#define IER_RECEIVED     BIT(0)
#define IER_SENT         BIT(1)
#define IER_MASK         0x0fu
#define IIR_NONE         0x01u
#define IIR_SENT         0x02u
#define IIR_RECEIVED     0x04u
#define IIR_FIFOS        0xc0u
#define FCR_ENABLE       BIT(0)
#define FCR_CLEAR_INPUT  BIT(1)
#define LCR_DLAB         BIT(7)
#define MCR_MASK         0x1fu
#define MCR_LOOP         BIT(4)
#define LSR_RECEIVED     0x01u
#define LSR_SENDER_EMPTY 0x60u
#define MSR_CONNECTED    0xb0u /* DCD, DSR, CTS */

#define OUTPUT_SIZE 2048u
#define INPUT_SIZE  256u

struct virtual_serial {
    struct lock lock;
    uint8_t ier, lcr, mcr, scr;
    bool fifos;
    bool sent_pending; /* "transmitter empty" has not been reported yet */
    uint8_t divisor[2];
    uint64_t accesses;
    uint32_t out_head, out_tail, in_head, in_tail; /* free-running */
    char output[OUTPUT_SIZE];
    char input[INPUT_SIZE];
};
_Static_assert(sizeof(struct virtual_serial) <= PAGE_SIZE, "virtual_serial.h");

size_t virtual_serial_reset(struct virtual_serial *serial)
{
    lock_take(&serial->lock);
    size_t lost = serial->out_head - serial->out_tail;
    serial->ier = serial->lcr = serial->mcr = serial->scr = 0;
    serial->fifos = serial->sent_pending = false;
    serial->divisor[0] = 1;
    serial->divisor[1] = 0;
    serial->out_head = serial->out_tail = serial->in_head = serial->in_tail = 0;
    lock_give(&serial->lock);
    return lost;
}

static bool has_input(const struct virtual_serial *serial)
{
    return serial->in_head != serial->in_tail;
}

static bool has_room(const struct virtual_serial *serial)
{
    return serial->out_head - serial->out_tail < OUTPUT_SIZE;
}

static uint8_t read_data(struct virtual_serial *serial)
{
    return has_input(serial) ? (uint8_t)serial->input[serial->in_tail++ % INPUT_SIZE] : 0;
}

/* Reading it ends a "transmitter empty" that it reports. */
static uint8_t read_iir(struct virtual_serial *serial)
{
    uint8_t fifos = serial->fifos ? IIR_FIFOS : 0;
    if ((serial->ier & IER_RECEIVED) != 0 && has_input(serial))
        return fifos | IIR_RECEIVED;
    if ((serial->ier & IER_SENT) != 0 && serial->sent_pending && has_room(serial)) {
        serial->sent_pending = false;
        return fifos | IIR_SENT;
    }
    return fifos | IIR_NONE;
}

/* In loop-back mode the modem's inputs are this end's outputs (DTR, RTS, OUT1, OUT2). */
static uint8_t read_msr(const struct virtual_serial *serial)
{
    if ((serial->mcr & MCR_LOOP) == 0)
        return MSR_CONNECTED;
    return (uint8_t)((serial->mcr & 2) << 3 | (serial->mcr & 1) << 5 | (serial->mcr & 0xc) << 4);
}

static uint8_t read_register(struct virtual_serial *serial, unsigned offset)
{
    bool divisor = (serial->lcr & LCR_DLAB) != 0;
    switch (offset) {
    case REGISTER_DATA:
        return divisor ? serial->divisor[0] : read_data(serial);
    case REGISTER_IER:
        return divisor ? serial->divisor[1] : serial->ier;
    case REGISTER_IIR_FCR:
        return read_iir(serial);
    case REGISTER_LCR:
        return serial->lcr;
    case REGISTER_MCR:
        return serial->mcr;
    case REGISTER_LSR:
        return (uint8_t)((has_input(serial) ? LSR_RECEIVED : 0) |
                         (has_room(serial) ? LSR_SENDER_EMPTY : 0));
    case REGISTER_MSR:
        return read_msr(serial);
    default:
        return serial->scr;
    }
}

static void write_data(struct virtual_serial *serial, uint8_t value)
{
    if ((serial->mcr & MCR_LOOP) != 0) {
        if (serial->in_head - serial->in_tail < INPUT_SIZE)
            serial->input[serial->in_head++ % INPUT_SIZE] = (char)value;
    } else if (has_room(serial)) {
        serial->output[serial->out_head++ % OUTPUT_SIZE] = (char)value;
    }
    serial->sent_pending = true;
}

static void write_register(struct virtual_serial *serial, unsigned offset, uint8_t value)
{
    bool divisor = (serial->lcr & LCR_DLAB) != 0;
    switch (offset) {
    case REGISTER_DATA:
        if (divisor)
            serial->divisor[0] = value;
        else
            write_data(serial, value);
        break;
    case REGISTER_IER:
        if (divisor) {
            serial->divisor[1] = value;
        } else {
            serial->sent_pending |= (value & ~serial->ier & IER_SENT) != 0;
            serial->ier = value & IER_MASK;
        }
        break;
    case REGISTER_IIR_FCR:
        serial->fifos = (value & FCR_ENABLE) != 0;
        if ((value & FCR_CLEAR_INPUT) != 0)
            serial->in_tail = serial->in_head;
        break;
    case REGISTER_LCR:
        serial->lcr = value;
        break;
    case REGISTER_MCR:
        serial->mcr = value & MCR_MASK;
        break;
    case REGISTER_SCR:
        serial->scr = value;
        break;
    default: /* LSR and MSR are read-only */
        break;
    }
}

uint8_t virtual_serial_read(struct virtual_serial *serial, unsigned offset)
{
    lock_take(&serial->lock);
    uint8_t value = read_register(serial, offset);
    serial->accesses++;
    lock_give(&serial->lock);
    return value;
}

void virtual_serial_write(struct virtual_serial *serial, unsigned offset, uint8_t value)
{
    lock_take(&serial->lock);
    write_register(serial, offset, value);
    serial->accesses++;
    lock_give(&serial->lock);
}

uint64_t virtual_serial_accesses(struct virtual_serial *serial)
{
    lock_take(&serial->lock);
    uint64_t count = serial->accesses;
    lock_give(&serial->lock);
    return count;
}

size_t virtual_serial_pending(struct virtual_serial *serial)
{
    lock_take(&serial->lock);
    size_t count = serial->out_head - serial->out_tail;
    lock_give(&serial->lock);
    return count;
}

size_t virtual_serial_take(struct virtual_serial *serial, char *bytes, size_t size)
{
    size_t count = 0;
    lock_take(&serial->lock);
    while (count < size && serial->out_tail != serial->out_head)
        bytes[count++] = serial->output[serial->out_tail++ % OUTPUT_SIZE];
    lock_give(&serial->lock);
    return count;
}

bool virtual_serial_type(struct virtual_serial *serial, char byte)
{
    lock_take(&serial->lock);
    bool room = serial->in_head - serial->in_tail < INPUT_SIZE;
    if (room)
        serial->input[serial->in_head++ % INPUT_SIZE] = byte;
    lock_give(&serial->lock);
    return room;
}
