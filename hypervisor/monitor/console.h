/* SPDX-License-Identifier: MIT */
/* Output to every console device and input from whichever has some. */
#pragma once

#include "hypervisor/base/core.h"

/* What a console's driver provides; NULL where the device has no such direction. */
struct console_device {
    void (*write)(const char *text, size_t size);
    void (*flush)(void); /* waits until everything has left the machine */
    int (*read)(void);   /* a byte, or -1 */
    void (*turn)(void);  /* does a bounded part of what write() has put off */
    bool wants_return;   /* to it a newline alone only moves down */
    bool asked;          /* the console's own: whether it is a terminal, and how large */
    unsigned rows;       /* what it said; 0: nothing */
};
/* At boot; takes a copy. Input is read in the order of registration. More than CONSOLE_DEVICES are
 * left out. */
#define CONSOLE_DEVICES 4
void console_register(const struct console_device *device);
void console_write(const char *text, size_t size);
/* What a guest sent. Anything else that is written next begins a line of its own. */
void console_write_guest(const char *text, size_t size);
/* Whether what a guest sent stands on a line that has no end yet. */
bool console_guest_line(void);
/* The bell, wherever the cursor is. */
void console_bell(void);
void console_printf(const char *format, ...) PRINTF_LIKE(1, 2);
/* Which of the rows that console_printf() writes are shown, of 80 columns each; the others are only
 * counted. */
extern struct console_page {
    unsigned first, rows; /* rows 0: all */
    unsigned row, column; /* where the next byte goes */
} console_page;
/* Shows the prompt with what is typed behind it as the last line, writing only what changed, and
 * the cursor there. Any other output takes its place; it is then to be shown again. At most
 * CONSOLE_PROMPT_SIZE bytes; the cursor does not go back over the end of a row. */
#define CONSOLE_PROMPT_SIZE 160
#define CONSOLE_COLUMNS     80
void console_prompt(const char *text, size_t size, size_t cursor);
/* Leaves that line, as a whole: the command on it is to be carried out. Whoever reads what a serial
 * line has recorded finds it behind the last prompt, however it came about. */
void console_prompt_end(const char *text, size_t size);
/* A byte that was typed, or -1. */
int console_read(void);
/* Asks the device that it came from whether it is a terminal and how many rows it has, unless it
 * was asked before, or `again`. Waits for nothing: the answer comes among the bytes, and
 * console_report() takes it. */
void console_ask(bool again);
void console_report(unsigned row);
/* The rows of the terminal that is typed at; 0: it is none. */
unsigned console_rows(void);
/* A control sequence, for terminals only. */
void console_style(const char *sequence);
/* The control loop's share of what devices have put off. */
void console_service(void);
/* Waits until everything has left the machine: 100 ms a device at most, and drawing a screen. */
void console_flush(void);
