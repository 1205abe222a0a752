/* Output to all consoles (serial, framebuffer) and input from the serial line and a PS/2
 * keyboard. */
#pragma once

#include "boot/boot_info.h"
#include "hypervisor/base/core.h"

/* Serial first: works before memory management. */
void console_init_early(void);
/* Framebuffer, once device registers can be mapped. */
void console_init_framebuffer(const struct boot_framebuffer *framebuffer);
void console_write(const char *text, size_t size);
/* What a guest sent. Anything else that is written next begins a line of its own. */
void console_write_guest(const char *text, size_t size);
/* Whether what a guest sent stands on a line that has no end yet. */
bool console_guest_line(void);
/* The bell, wherever the cursor is. */
void console_bell(void);
void console_printf(const char *format, ...) PRINTF_LIKE(1, 2);
/* Shows the prompt with what was typed so far as the last line, writing only what changed. Any
 * other output takes its place; it is then to be shown again. At most CONSOLE_PROMPT_SIZE bytes. */
#define CONSOLE_PROMPT_SIZE 160
void console_prompt(const char *text, size_t size);
/* Leaves that line as it stands: the command on it is to be carried out. */
void console_prompt_end(void);
/* A byte that was typed, or -1. */
int console_read(void);
/* The newest of the last 64 KiB of the log, from the start of a line, terminated; its length. */
size_t log_tail(char *buffer, size_t size);
