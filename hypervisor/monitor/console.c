/* SPDX-License-Identifier: MIT */
#include "hypervisor/monitor/console.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/string.h"

#define RED   "\033[31m"
#define GREEN "\033[32m"
#define DIM   "\033[2m"
#define PLAIN "\033[m"

struct console_page console_page;

static struct console_device devices[CONSOLE_DEVICES];
static unsigned device_count;
static struct console_device *typist = devices; /* where the latest byte came from */

/* The prompt with what was typed so far, as it stands on the last line; output takes its place. */
static char shown[CONSOLE_PROMPT_SIZE];
static size_t shown_size, shown_cursor;
static bool edited; /* its bytes were not written in their order */
static bool guest_line;

/* With what is around them in the log and in answers: the words alone are in other texts too. */
static const struct {
    const char *text, *style;
} styles[] = {
    {"bulkhead> ", DIM},    {"blocked: ", RED},   {"blocked, ", RED},     {".refused ", RED},
    {".violation ", RED},   {"violations", RED},  {"result=failed", RED}, {".ok ", GREEN},
    {"let through", GREEN}, {"result=ok", GREEN},
};

void console_register(const struct console_device *device)
{
    if (device_count < CONSOLE_DEVICES)
        devices[device_count++] = *device;
}

static void write_lines(const struct console_device *device, const char *text, size_t size)
{
    size_t start = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] != '\n')
            continue;
        device->write(text + start, i - start);
        device->write("\r\n", 2);
        start = i + 1;
    }
    device->write(text + start, size - start);
}

static void write_all(const char *text, size_t size)
{
    for (unsigned i = 0; i < device_count; i++) {
        if (devices[i].write != NULL && devices[i].wants_return)
            write_lines(&devices[i], text, size);
        else if (devices[i].write != NULL)
            devices[i].write(text, size);
    }
}

void console_style(const char *sequence)
{
    for (unsigned i = 0; i < device_count; i++)
        if (devices[i].rows != 0)
            devices[i].write(sequence, strlen(sequence));
}

static void write_styled(const char *text, size_t size)
{
    size_t from = 0;
    for (size_t at = 0; at < size; at++)
        for (unsigned i = 0; i < ARRAY_SIZE(styles); i++) {
            size_t length = text[at] == styles[i].text[0] ? strlen(styles[i].text) : SIZE_MAX;
            if (length > size - at || memcmp(text + at, styles[i].text, length) != 0)
                continue;
            write_all(text + from, at - from);
            console_style(styles[i].style);
            write_all(text + at, length);
            console_style(PLAIN);
            from = at + length;
        }
    write_all(text + from, size - from);
}

/* Up to where the cursor is, what is shown and what is wanted are the same. */
static void move_to(const char *wanted, size_t place)
{
    edited = edited || shown_cursor > place;
    for (; shown_cursor > place; shown_cursor--)
        write_all("\b", 1);
    write_styled(wanted + shown_cursor, place - shown_cursor);
    shown_cursor = place;
}

void console_prompt(const char *text, size_t size, size_t cursor)
{
    char wanted[CONSOLE_PROMPT_SIZE];
    size_t same = 0, end = MAX(size, shown_size);
    memset(wanted, ' ', sizeof wanted); /* over what was longer */
    memcpy(wanted, text, size);
    while (same < MIN(size, shown_size) && shown[same] == wanted[same])
        same++;
    if (same < end) {
        move_to(wanted, same);
        move_to(wanted, end);
    }
    move_to(wanted, cursor);
    memcpy(shown, wanted, sizeof shown);
    shown_size = size;
}

static void erase_prompt(void)
{
    char blanks[CONSOLE_PROMPT_SIZE + 2];
    if (shown_size == 0)
        return;
    memset(blanks, ' ', sizeof blanks);
    blanks[0] = blanks[shown_size + 1] = '\r';
    write_all(blanks, shown_size + 2);
    shown_size = shown_cursor = 0;
    edited = false;
}

void console_write(const char *text, size_t size)
{
    erase_prompt();
    if (guest_line)
        write_all("\n", 1);
    guest_line = false;
    write_styled(text, size);
}

void console_write_guest(const char *text, size_t size)
{
    if (size == 0)
        return;
    erase_prompt();
    write_all(text, size);
    guest_line = text[size - 1] != '\n';
}

bool console_guest_line(void)
{
    return guest_line;
}

void console_bell(void)
{
    write_all("\a", 1);
}

void console_prompt_end(const char *text, size_t size)
{
    if (edited || shown_size > size || memcmp(shown, text, shown_size) != 0)
        erase_prompt();
    console_prompt(text, size, size);
    write_all("\n", 1);
    shown_size = shown_cursor = 0;
}

static void write_page(const char *text, size_t size)
{
    for (size_t from = 0, at = 0; at < size; from = at) {
        bool ends = false;
        while (at < size && !ends) {
            ends = text[at] == '\n' || ++console_page.column == CONSOLE_COLUMNS;
            at++;
        }
        if (console_page.row - console_page.first < console_page.rows)
            console_write(text + from, at - from);
        console_page.row += ends ? 1 : 0;
        console_page.column = ends ? 0 : console_page.column;
    }
}

void console_printf(const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    size_t length = format_text_list(text, sizeof text, format, arguments);
    va_end(arguments);
    length = MIN(length, sizeof text - 1);
    if (console_page.rows == 0)
        console_write(text, length);
    else
        write_page(text, length);
}

int console_read(void)
{
    int typed = -1;
    for (unsigned i = 0; i < device_count && typed < 0; i++) {
        if (devices[i].read != NULL)
            typed = devices[i].read();
        if (typed >= 0)
            typist = &devices[i];
    }
    return typed;
}

/* The cursor goes as far down as it can, says where that is (ECMA-48 8.3.35), and comes back. What
 * shows of it where nobody knows such sequences is wiped out. */
void console_ask(bool again)
{
    static const char question[] = "\0337\033[999;1H\033[6n\0338\r                  \r";
    if (typist->write == NULL || (typist->asked && !again))
        return;
    erase_prompt();
    typist->write(question, sizeof question - 1);
    typist->asked = true;
    typist->rows = 0;
}

void console_report(unsigned row)
{
    if (typist->asked && typist->rows == 0)
        typist->rows = row;
}

unsigned console_rows(void)
{
    return typist->rows;
}

void console_service(void)
{
    for (unsigned i = 0; i < device_count; i++)
        if (devices[i].turn != NULL)
            devices[i].turn();
}

void console_flush(void)
{
    for (unsigned i = 0; i < device_count; i++)
        if (devices[i].flush != NULL)
            devices[i].flush();
}
