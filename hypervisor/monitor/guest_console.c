#include "hypervisor/monitor/guest_console.h"

#include "hypervisor/base/clock.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/guest/guest.h"
#include "hypervisor/guest/virtual_serial.h"
#include "hypervisor/monitor/console.h"

#define KEY_LEAVE  0x1c /* Ctrl-\ */
#define LINE_SIZE  200
#define PIECE      64
#define TURN_LIMIT MILLISECONDS(10)

static struct guest *front;

/* What a guest that is not in front has sent of a line that is not complete. */
static struct pending {
    char line[LINE_SIZE];
    size_t used;
} pending[CONFIG_MAX_GUESTS];

void guest_console_attach(struct guest *guest)
{
    front = guest;
}

struct guest *guest_console_front(void)
{
    return front;
}

static void flush(const struct guest *guest)
{
    struct pending *own = &pending[guest->index];
    char text[LINE_SIZE * 4 + 1];
    if (own->used == 0)
        return;
    quote_text(text, sizeof text, own->line, own->used);
    own->used = 0;
    log_event("guest.output", "name=%s text=\"%s\"", guest->name, text);
}

static void add(const struct guest *guest, char byte)
{
    struct pending *own = &pending[guest->index];
    if (byte == '\n')
        flush(guest);
    else if (byte != '\r')
        own->line[own->used++] = byte;
    if (own->used == LINE_SIZE)
        flush(guest);
}

/* Raw: carriage returns are the guest's own, line feeds get theirs from the console. */
static void show(const char *bytes, size_t size)
{
    char plain[PIECE];
    size_t used = 0;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != '\r')
            plain[used++] = bytes[i];
    console_write(plain, used);
}

/* A piece of what the guest sent; false when there is no more. */
static bool serve(const struct guest *guest)
{
    char bytes[PIECE];
    size_t size = virtual_serial_take(guest->serial, bytes, sizeof bytes);
    if (guest == front)
        show(bytes, size);
    else
        for (size_t i = 0; i < size; i++)
            add(guest, bytes[i]);
    return size != 0;
}

void guest_console_service(void)
{
    struct deadline end = deadline_in(TURN_LIMIT);
    bool empty[CONFIG_MAX_GUESTS] = {false};
    for (bool more = true; more && !deadline_passed(end);) {
        more = false;
        for (unsigned i = 0; guest_at(i) != NULL; i++) {
            empty[i] = guest_at(i)->serial == NULL || !serve(guest_at(i));
            more = more || !empty[i];
        }
    }
    /* The last line of a guest that has ended may lack its end; one that goes on does not. */
    for (unsigned i = 0; guest_at(i) != NULL; i++)
        if (empty[i] && (guest_at(i)->state != GUEST_RUNNING || guest_at(i) == front))
            flush(guest_at(i));
}

void guest_console_key(char key)
{
    if (key == KEY_LEAVE) {
        console_printf("\n");
        front = NULL;
    } else if (!virtual_serial_type(front->serial, key)) {
        console_printf("\a"); /* it does not read: the bell of a full keyboard buffer */
    }
}
