/* SPDX-License-Identifier: MIT */
/* Which devices the console and the log have. */
#include "drivers/framebuffer/framebuffer.h"
#include "drivers/keyboard/keyboard.h"
#include "drivers/serial/serial.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/log_boot.h"
#include "hypervisor/monitor/console.h"
#include "hypervisor/setup/setup.h"

void console_start(void)
{
    static const struct console_device serial = {
        .write = serial_write, .flush = serial_flush, .read = serial_read, .wants_return = true};
    static const struct console_device keyboard = {.read = keyboard_read};
    static const struct log_sink sink = {.write = console_write, .flush = console_flush};
    if (serial_init())
        console_register(&serial);
    if (keyboard_init())
        console_register(&keyboard);
    log_sink = sink;
}

void console_start_framebuffer(const struct boot_framebuffer *framebuffer)
{
    static const struct console_device device = {.write = framebuffer_write};
    if (framebuffer->format == BOOT_FRAMEBUFFER_NONE)
        return;
    enum status status = framebuffer_init(framebuffer);
    if (status != STATUS_OK) {
        log_event("console.refused",
                  "base=%#lx width=%u height=%u stride=%u reason=%s message=\"the framebuffer that "
                  "the loader describes cannot be used; the log goes to the serial port only\"",
                  framebuffer->base, framebuffer->width, framebuffer->height, framebuffer->stride,
                  status_name(status));
        return;
    }
    /* What was said before there was a screen, as much of it as fits. */
    char tail[2048];
    framebuffer_write(tail, log_tail(tail, sizeof tail));
    console_register(&device);
}
