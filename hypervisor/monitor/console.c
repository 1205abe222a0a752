/* SPDX-License-Identifier: MIT */
#include "hypervisor/monitor/console.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/string.h"

#define COLUMNS 80

struct console_page console_page;

static struct console_device devices[CONSOLE_DEVICES];
static unsigned device_count;

/* The prompt with what was typed so far, as it stands on the last line; output takes its place. */
static char prompt[CONSOLE_PROMPT_SIZE];
static size_t prompt_size;
static bool guest_line;

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

static void erase_prompt(void)
{
    char blanks[CONSOLE_PROMPT_SIZE + 2];
    if (prompt_size == 0)
        return;
    memset(blanks, ' ', sizeof blanks);
    blanks[0] = blanks[prompt_size + 1] = '\r';
    write_all(blanks, prompt_size + 2);
    prompt_size = 0;
}

void console_write(const char *text, size_t size)
{
    erase_prompt();
    if (guest_line)
        write_all("\n", 1);
    guest_line = false;
    write_all(text, size);
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

void console_prompt(const char *text, size_t size)
{
    size_t kept = 0;
    size = MIN(size, sizeof prompt);
    while (kept < prompt_size && kept < size && prompt[kept] == text[kept])
        kept++;
    if (kept < prompt_size) {
        erase_prompt();
        kept = 0;
    }
    write_all(text + kept, size - kept);
    memcpy(prompt, text, size);
    prompt_size = size;
}

void console_prompt_end(void)
{
    write_all("\n", 1);
    prompt_size = 0;
}

static void write_page(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (console_page.row - console_page.first < console_page.rows)
            console_write(text + i, 1);
        if (text[i] != '\n' && ++console_page.column < COLUMNS)
            continue;
        console_page.row++;
        console_page.column = 0;
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
    for (unsigned i = 0; i < device_count && typed < 0; i++)
        if (devices[i].read != NULL)
            typed = devices[i].read();
    return typed;
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
