#include "hypervisor/monitor/console.h"

#include "drivers/framebuffer/framebuffer.h"
#include "drivers/serial/serial.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"

static bool initialised;

void console_init_early(void)
{
    if (!initialised)
        (void)serial_init();
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

void console_write(const char *text, size_t size)
{
    /* An exception before the console's turn has to be seen too. */
    console_init_early();
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
    return serial_read();
}
