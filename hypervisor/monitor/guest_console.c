/* SPDX-License-Identifier: MIT */
#include "hypervisor/monitor/guest_console.h"

#include "hypervisor/base/clock.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/assign/guest.h"
#include "hypervisor/vdev/output.h"
#include "hypervisor/vdev/virtual_serial.h"
#include "hypervisor/monitor/console.h"

#define KEY_LEAVE  0x1c /* Ctrl-\ */
#define KEY_ESCAPE 0x1b
/* Bytes of one guest in a turn: some neither show nor fill a line. */
#define TAKE_LIMIT 256
#define TURN_LIMIT MILLISECONDS(10)
/* One column less than the narrowest terminal has: a line that the terminal wraps would carry no
 * mark, and terminals differ in what a backspace does in the last column. */
#define SCREEN_COLUMNS 79
#define TAB_WIDTH      8
/* A lost guest may send without end; a full ring of every other takes less. */
#define DRAIN_LIMIT MILLISECONDS(10000)

static struct guest *front;

/* What a guest that is not in front has sent of a line that is not complete. */
static struct output_line pending[GUEST_MAX];

/* How far a terminal's control sequence has come. */
enum sequence { SEQUENCE_NONE, SEQUENCE_ESCAPED, SEQUENCE_CONTROL };

/* How what the guest in front sent stands on the terminal. */
static struct {
    enum sequence sequence;
    bool open;       /* its line has begun */
    bool returned;   /* a carriage return is to be carried out unless a line feed follows */
    size_t mark;     /* columns that the name takes */
    unsigned column; /* behind it */
    size_t sent;     /* bytes in this turn */
    size_t used;
    char text[256];
} screen;

void guest_console_attach(struct guest *guest)
{
    console_write("", 0); /* ends the line of who was there before */
    front = guest;
    screen.sequence = SEQUENCE_NONE;
    screen.returned = false;
}

struct guest *guest_console_front(void)
{
    return front;
}

/* --- the guest in front: no sequence of its bytes looks like a line of anybody else's --- */

static void write_screen(void)
{
    console_write_guest(screen.text, screen.used);
    screen.used = 0;
}

static void put(const char *text, size_t size)
{
    if (screen.used + size > sizeof screen.text)
        write_screen();
    memcpy(screen.text + screen.used, text, size);
    screen.used += size;
    screen.sent += size;
}

static void begin_line(const struct guest *guest, const char *how)
{
    char mark[CONFIG_NAME_SIZE + 8];
    screen.mark = format_text(mark, sizeof mark, "%s%s| ", how, guest->name) - strlen(how);
    put(mark, screen.mark + strlen(how));
    screen.column = 0;
    screen.open = true;
}

/* True for a byte of such a sequence (ECMA-48 5.4), which is left out. */
static bool in_sequence(enum sequence *sequence, char byte)
{
    enum sequence now = *sequence;
    bool parameter = byte >= 0x20 && byte < 0x40;
    *sequence = byte == KEY_ESCAPE                                    ? SEQUENCE_ESCAPED
                : now == SEQUENCE_ESCAPED && byte == '['              ? SEQUENCE_CONTROL
                : now == SEQUENCE_CONTROL && parameter                ? SEQUENCE_CONTROL
                : now == SEQUENCE_ESCAPED && parameter && byte < 0x30 ? SEQUENCE_ESCAPED
                                                                      : SEQUENCE_NONE;
    return *sequence != SEQUENCE_NONE || (now != SEQUENCE_NONE && byte >= 0x20 && byte < 0x7f);
}

static void show_byte(const struct guest *guest, char byte)
{
    /* People would not see what it does to the lines above. */
    if (in_sequence(&screen.sequence, byte))
        return;
    if (!screen.open)
        begin_line(guest, "");
    if (byte == '\n') {
        put("\n", 1);
        screen.open = false;
    } else if (screen.returned) {
        begin_line(guest, "\r");
    }
    screen.returned = byte == '\r';
    if (byte == '\b' && screen.column > 0) {
        screen.column--;
        put("\b", 1);
    }
    unsigned count = byte == '\t' ? TAB_WIDTH - screen.column % TAB_WIDTH
                     : (byte >= ' ' && byte <= '~') || (byte & 0x80) != 0 ? 1
                                                                          : 0;
    for (; count > 0; count--, screen.column++) {
        if (screen.column + screen.mark >= SCREEN_COLUMNS)
            begin_line(guest, "\n");
        put(byte == '\t' ? " " : (byte & 0x80) != 0 ? "?" : &byte, 1);
    }
}

/* One byte of the guest in front, or of another one's line; true at the end of a line, or when so
 * much was written that others should have their turn. */
static bool take_byte(const struct guest *guest, char byte)
{
    if (guest != front)
        return byte != '\r' && output_put(guest, &pending[guest->index], byte);
    show_byte(guest, byte);
    return byte == '\n' || screen.sent >= OUTPUT_LINE;
}

/* What the guest sent, at most a line and TAKE_LIMIT bytes; false when there is no more. */
static bool serve(const struct guest *guest)
{
    char byte;
    bool more;
    unsigned taken = 0;
    screen.open = console_guest_line();
    screen.sent = 0;
    do
        more = virtual_serial_take(guest->serial, &byte, 1) != 0;
    while (more && !take_byte(guest, byte) && ++taken < TAKE_LIMIT);
    write_screen();
    return more;
}

bool guest_console_service(void)
{
    static unsigned turn; /* whoever used up the time is last in the next turn */
    struct deadline end = deadline_in(TURN_LIMIT);
    unsigned guests = 0, left = 0;
    while (guest_at(guests) != NULL)
        guests++;
    bool more = true;
    while (more && !deadline_passed(end)) {
        more = false;
        for (unsigned i = 0; i < guests && !deadline_passed(end); i++) {
            const struct guest *guest = guest_at(turn++ % guests);
            more = (guest->serial != NULL && serve(guest)) || more;
        }
    }
    for (unsigned i = 0; i < guests; i++) {
        struct guest *guest = guest_at(i);
        if (guest->serial != NULL && virtual_serial_pending(guest->serial) != 0)
            left++;
        else if (guest->state != GUEST_RUNNING || guest == front) {
            /* The last line of a guest that has ended may lack its end; one that goes on does not.
             */
            output_flush(guest, &pending[guest->index]);
            guest->output_left = false;
        }
    }
    return left == 0;
}

void guest_console_drain(void)
{
    if (!WAIT_UNTIL(guest_console_service(), DRAIN_LIMIT))
        log_event("guest.output_lost",
                  "message=\"the console did not write everything that guests sent\"");
    log_drain();
}

void guest_console_key(char key)
{
    if (key == KEY_LEAVE) {
        guest_console_attach(NULL);
    } else if (!virtual_serial_type(front->serial, key)) {
        console_bell(); /* it does not read: the bell of a full keyboard buffer */
    }
}
