/* SPDX-License-Identifier: MIT */
#include "hypervisor/vdev/virtual_serial.h"

#include "hypervisor/base/lock.h"
#include "hypervisor/base/string.h"

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
    REGISTER_SCR,
    REGISTERS
};

#define LCR_DLAB BIT(7)
#define MCR_MASK 0x1fu
#define IER_MASK 0x0fu
/* Of those that keep what is written to them, the bits that do; the others have code of their own.
 */
static const uint8_t kept[REGISTERS] = {
    [REGISTER_IER] = IER_MASK,
    [REGISTER_LCR] = 0xff,
    [REGISTER_MCR] = MCR_MASK,
    [REGISTER_SCR] = 0xff,
};

#define IER_RECEIVED     BIT(0)
#define IER_SENT         BIT(1)
#define IIR_NONE         0x01u
#define IIR_SENT         0x02u
#define IIR_RECEIVED     0x04u
#define IIR_FIFOS        0xc0u
#define FCR_ENABLE       BIT(0)
#define FCR_CLEAR_INPUT  BIT(1)
#define MCR_LOOP         BIT(4)
#define LSR_RECEIVED     0x01u
#define LSR_SENDER_EMPTY 0x60u
#define MSR_CONNECTED    0xb0u /* DCD, DSR, CTS */

#define OUTPUT_SIZE 2048u
#define INPUT_SIZE  256u

struct virtual_serial {
    struct lock lock;
    uint8_t registers[REGISTERS];
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
    memset(serial->registers, 0, sizeof serial->registers);
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
    if ((serial->registers[REGISTER_IER] & IER_RECEIVED) != 0 && has_input(serial))
        return fifos | IIR_RECEIVED;
    if ((serial->registers[REGISTER_IER] & IER_SENT) != 0 && serial->sent_pending &&
        has_room(serial)) {
        serial->sent_pending = false;
        return fifos | IIR_SENT;
    }
    return fifos | IIR_NONE;
}

/* In loop-back mode the modem's inputs are this end's outputs (DTR, RTS, OUT1, OUT2). */
static uint8_t read_msr(const struct virtual_serial *serial)
{
    uint8_t mcr = serial->registers[REGISTER_MCR];
    if ((mcr & MCR_LOOP) == 0)
        return MSR_CONNECTED;
    return (uint8_t)((mcr & 2) << 3 | (mcr & 1) << 5 | (mcr & 0xc) << 4);
}

static bool is_divisor(const struct virtual_serial *serial, unsigned offset)
{
    return offset <= REGISTER_IER && (serial->registers[REGISTER_LCR] & LCR_DLAB) != 0;
}

static uint8_t read_register(struct virtual_serial *serial, unsigned offset)
{
    if (is_divisor(serial, offset))
        return serial->divisor[offset];
    switch (offset) {
    case REGISTER_DATA:
        return read_data(serial);
    case REGISTER_IIR_FCR:
        return read_iir(serial);
    case REGISTER_LSR:
        return (uint8_t)((has_input(serial) ? LSR_RECEIVED : 0) |
                         (has_room(serial) ? LSR_SENDER_EMPTY : 0));
    case REGISTER_MSR:
        return read_msr(serial);
    default:
        return serial->registers[offset];
    }
}

static void write_data(struct virtual_serial *serial, uint8_t value)
{
    if ((serial->registers[REGISTER_MCR] & MCR_LOOP) != 0) {
        if (serial->in_head - serial->in_tail < INPUT_SIZE)
            serial->input[serial->in_head++ % INPUT_SIZE] = (char)value;
    } else if (has_room(serial)) {
        serial->output[serial->out_head++ % OUTPUT_SIZE] = (char)value;
    }
    serial->sent_pending = true;
}

static void write_register(struct virtual_serial *serial, unsigned offset, uint8_t value)
{
    if (is_divisor(serial, offset)) {
        serial->divisor[offset] = value;
        return;
    }
    if (offset == REGISTER_DATA)
        write_data(serial, value);
    if (offset == REGISTER_IER)
        serial->sent_pending |= (value & ~serial->registers[offset] & IER_SENT) != 0;
    if (offset == REGISTER_IIR_FCR)
        serial->fifos = (value & FCR_ENABLE) != 0;
    if (offset == REGISTER_IIR_FCR && (value & FCR_CLEAR_INPUT) != 0)
        serial->in_tail = serial->in_head;
    serial->registers[offset] = value & kept[offset];
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
