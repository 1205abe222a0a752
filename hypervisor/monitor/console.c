#include "hypervisor/monitor/console.h"

#include "drivers/framebuffer/framebuffer.h"
#include "drivers/keyboard/keyboard.h"
#include "drivers/serial/serial.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"

static bool initialised;

/* The prompt with what was typed so far, as it stands on the last line; output takes its place. */
static char prompt[CONSOLE_PROMPT_SIZE];
static size_t prompt_size;
static bool guest_line;

void console_init_early(void)
{
    if (!initialised) {
        (void)serial_init();
        (void)keyboard_init();
    }
    initialised = true;
}

void console_init_framebuffer(const struct boot_framebuffer *framebuffer)
{
    if (framebuffer->format == BOOT_FRAMEBUFFER_NONE)
        return;
    enum status status = framebuffer_init(framebuffer);
    if (status != STATUS_OK) {
        log_event(
            "console.refused",
            "base=%#llx width=%u height=%u stride=%u reason=%s message=\"the framebuffer "
            "that the loader describes cannot be used; the log goes to the serial port only\"",
            (unsigned long long)framebuffer->base, framebuffer->width, framebuffer->height,
            framebuffer->stride, status_name(status));
        return;
    }
    /* What was said before there was a screen, as much of it as fits. */
    char tail[2048];
    framebuffer_write(tail, log_tail(tail, sizeof tail));
}

static void write_all(const char *text, size_t size)
{
    size_t start = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] != '\n')
            continue;
        serial_write(text + start, i - start);
        serial_write("\r\n", 2);
        start = i + 1;
    }
    serial_write(text + start, size - start);
    framebuffer_write(text, size);
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
    /* An exception before the console's turn has to be seen too. */
    console_init_early();
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

void console_printf(const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    size_t length = format_text_list(text, sizeof text, format, arguments);
    va_end(arguments);
    console_write(text, MIN(length, sizeof text - 1));
}

void log_flush(void)
{
    serial_flush();
}

int console_read(void)
{
    int typed = serial_read();
    return typed >= 0 ? typed : keyboard_read();
}
