/* SPDX-License-Identifier: MIT */
/* The prompt with a serial line, which is a terminal or not, a screen, and a few commands. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hypervisor/base/log.h"
#include "hypervisor/monitor/commands.h"
#include "hypervisor/monitor/console.h"
#include "hypervisor/monitor/editor.h"
#include "hypervisor/monitor/guest_console.h"
#include "hypervisor/monitor/monitor.h"
#include "hypervisor/monitor/names.h"
#include "hypervisor/setup/words.h"
#include "tests/unit/support/host.h"

#define ROWS    24
#define COLUMNS 80
#define RED     31
#define GREEN   32
#define DIM     2

/* --- what shows what is written --- */

static struct display {
    bool understands; /* control sequences (VT100) */
    char text[ROWS][COLUMNS + 1];
    unsigned char style[ROWS][COLUMNS];
    unsigned row, column, saved_row, saved_column, current;
    bool wraps; /* the last column was written to */
    char sequence[32];
    size_t in_sequence, escapes, bytes;
    char raw[8192]; /* the latest bytes as they came, without those of control sequences */
    size_t raw_size;
    char keys[8192]; /* what it sends */
    size_t keys_end, keys_taken;
} serial, screen;

static void clear(struct display *display)
{
    memset(display->text, ' ', sizeof display->text);
    memset(display->style, 0, sizeof display->style);
    display->row = display->column = 0;
}

static void press(const char *keys)
{
    size_t size = strlen(keys);
    assert_true(serial.keys_end + size < sizeof serial.keys);
    memcpy(serial.keys + serial.keys_end, keys, size);
    serial.keys_end += size;
}

static void down(struct display *display)
{
    if (++display->row < ROWS)
        return;
    display->row = ROWS - 1;
    memmove(display->text[0], display->text[1], (ROWS - 1) * sizeof display->text[0]);
    memmove(display->style[0], display->style[1], (ROWS - 1) * sizeof display->style[0]);
    memset(display->text[ROWS - 1], ' ', COLUMNS);
    memset(display->style[ROWS - 1], 0, COLUMNS);
}

static void carry_out(struct display *display, const char *sequence)
{
    unsigned row, column;
    char answer[32];
    if (strcmp(sequence, "7") == 0) {
        display->saved_row = display->row;
        display->saved_column = display->column;
    } else if (strcmp(sequence, "8") == 0) {
        display->row = display->saved_row;
        display->column = display->saved_column;
    } else if (strcmp(sequence, "[H") == 0) {
        display->row = display->column = 0;
    } else if (strcmp(sequence, "[2J") == 0) {
        row = display->row, column = display->column;
        clear(display);
        display->row = row, display->column = column;
    } else if (sscanf(sequence, "[%u;%uH", &row, &column) == 2) {
        display->row = MIN(row, ROWS) - 1;
        display->column = MIN(column, COLUMNS) - 1;
    } else if (strcmp(sequence, "[6n") == 0) {
        snprintf(answer, sizeof answer, "\x1b[%u;%uR", display->row + 1, display->column + 1);
        press(answer);
    } else if (strcmp(sequence, "[m") == 0) {
        display->current = 0;
    } else if (sscanf(sequence, "[%um", &display->current) != 1) {
        fail_msg("a sequence that no VT100 knows: ESC %s", sequence);
    }
}

static void put(struct display *display, char byte)
{
    display->bytes++;
    if (display->raw_size == sizeof display->raw)
        display->raw_size = 0;
    display->raw[display->raw_size++] = byte;
    display->escapes += byte == '\x1b';
    if (display->in_sequence != 0 && display->understands) {
        assert_true(display->in_sequence < sizeof display->sequence);
        display->sequence[display->in_sequence++ - 1] = byte;
        display->sequence[display->in_sequence - 1] = '\0';
        if ((byte < '@' && byte != '7' && byte != '8') || byte == '[' ||
            (display->in_sequence > 2 && byte < '@'))
            return;
        display->in_sequence = 0;
        carry_out(display, display->sequence);
    } else if (byte == '\x1b' && display->understands) {
        display->in_sequence = 1;
    } else if (byte == '\r') {
        display->column = 0;
        display->wraps = false;
    } else if (byte == '\n') {
        down(display);
        display->column = display == &screen ? 0 : display->column;
    } else if (byte == '\b') {
        display->column -= display->column > 0;
        display->wraps = false;
    } else {
        assert_true(byte == '\x1b' || (byte >= ' ' && byte <= '~'));
        if (display->wraps) {
            down(display);
            display->column = 0;
        }
        display->text[display->row][display->column] = byte == '\x1b' ? '~' : byte;
        display->style[display->row][display->column] = (unsigned char)display->current;
        display->wraps = display->column == COLUMNS - 1;
        display->column += !display->wraps;
    }
}

static void write_serial(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        put(&serial, text[i]);
}

static int read_serial(void)
{
    return serial.keys_taken < serial.keys_end ? (unsigned char)serial.keys[serial.keys_taken++]
                                               : -1;
}

static void write_screen(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        put(&screen, text[i]);
}

/* --- the machine --- */

static struct guest guests[] = {{.name = "alpha"}, {.name = "alphabet"}, {.name = "beta"}};
static struct pci_function functions[] = {
    {.rid = RID(0, 1, 0, 0), .name = "-"},
    {.rid = RID(0, 1, 0x10, 0), .is_vf = true, .name = "uplink.vf0"},
};
static struct guest *front;
static char typed_at_guest[64], ran[256];
static unsigned long_runs;

void log_event(const char *event, const char *format, ...)
{
}

struct guest *guest_at(unsigned index)
{
    return index < ARRAY_SIZE(guests) ? &guests[index] : NULL;
}

struct pci_function *pci_function_at(size_t index)
{
    return index < ARRAY_SIZE(functions) ? &functions[index] : NULL;
}

/* `top` is not on. */
bool command_top_turn(bool key)
{
    return false;
}

struct guest *guest_console_front(void)
{
    return front;
}

bool guest_console_service(void)
{
    return true;
}

void guest_console_key(char key)
{
    size_t used = strlen(typed_at_guest);
    if (key == '\x1c')
        front = NULL;
    else
        snprintf(typed_at_guest + used, sizeof typed_at_guest - used, "%c", key);
}

static void note(char *const words_of[])
{
    ran[0] = '\0';
    for (unsigned i = 0; words_of[i] != NULL; i++)
        snprintf(ran + strlen(ran), sizeof ran - strlen(ran), "%s%s", i != 0 ? " " : "",
                 words_of[i]);
}

static void run_long(void)
{
    long_runs++;
    for (unsigned i = 1; i <= 60; i++)
        console_printf("row %u of %u\n", i, 60u);
}

static void run_help(void)
{
    char *words_of[] = {"help", NULL};
    note(words_of);
    console_printf("the latest blocked accesses\n");
}

static void run_judge(void)
{
    console_printf(
        "[1.0] device.refused rid=1 message=\"a refused one\"\nread: blocked, reason 5\n");
    console_printf("write: let through\n[1.1] audit.ok ranges=3\n");
}

const struct command monitor_commands[] = {
    {"help", "", "", run_help, NULL},
    {"long", "", "", run_long, NULL},
    {"judge", "[-v]", "", run_judge, NULL},
    {"more", "[COMMAND...]", "", NULL, command_more},
    {"walk", "RID ADDRESS | cpu GUEST GPA", "", NULL, note},
    {"stop", "GUEST", "", NULL, note},
    {NULL, NULL, NULL, NULL, NULL},
};

/* --- looking at it --- */

static const char *row_of(struct display *display, unsigned row)
{
    static char text[COLUMNS + 1];
    memcpy(text, display->text[row], COLUMNS);
    size_t length = COLUMNS;
    while (length > 0 && text[length - 1] == ' ')
        length--;
    text[length] = '\0';
    return text;
}

/* The row `up` above the cursor's. */
static const char *above(struct display *display, unsigned up)
{
    return display->row >= up ? row_of(display, display->row - up) : "";
}

static void turns(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        monitor_service();
}

static void type(const char *keys)
{
    press(keys);
    while (serial.keys_taken < serial.keys_end)
        monitor_service();
    serial.keys_taken = serial.keys_end = 0;
    turns(2);
}

#define expect(line, column) expect_row(line, column, __LINE__)
static void expect_row(const char *line, unsigned column, int at)
{
    struct display *displays[] = {&serial, &screen};
    for (unsigned i = 0; i < 2; i++)
        if (strcmp(above(displays[i], 0), line) != 0 || displays[i]->column != column)
            fail_msg("line %d, %s: '%s' with the cursor at %u, not '%s' at %u", at,
                     i ? "screen" : "serial", above(displays[i], 0), displays[i]->column, line,
                     column);
}

static int prepare(void **state)
{
    static const struct console_device devices[] = {
        {.write = write_serial, .read = read_serial, .wants_return = true},
        {.write = write_screen}};
    words_of_commands();
    console_register(&devices[0]);
    console_register(&devices[1]);
    clear(&serial);
    clear(&screen);
    monitor_start(true);
    turns(1);
    return 0;
}

static void begin(bool understands)
{
    serial.understands = understands;
    serial.current = 0;
    front = NULL;
    type("q\x15\x0c"); /* Ctrl-L asks anew */
    clear(&serial);
    clear(&screen);
    console_write("\n", 1);
    turns(1);
    serial.bytes = serial.escapes = long_runs = 0;
    ran[0] = typed_at_guest[0] = '\0';
}

static int on_a_dumb_line(void **state)
{
    begin(false);
    return 0;
}

static int on_a_terminal(void **state)
{
    begin(true);
    return 0;
}
