/* SPDX-License-Identifier: MIT */
/* Screen and keyboard, and what becomes of the console's devices with the hypervisor's own tables.
 */
#include "drivers/framebuffer/framebuffer.h"
#include "drivers/keyboard/keyboard.h"
#include "drivers/serial/serial_registers.h"
#include "hypervisor/base/log.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/monitor/console.h"
#include "hypervisor/setup/console_internal.h"
#include "hypervisor/setup/framebuffer.h"
#include "hypervisor/setup/keyboard.h"

#define LEGACY_PORT 0x3f8

/* --- into the hypervisor's own address space --- */

static void map_serial(void)
{
    const struct serial_place *place = &console_choice.place;
    if (console_choice.source == NULL || !place->memory)
        return;
    /* Until it is mapped, and when it cannot be, to where nothing answers and nothing faults. */
    const struct serial_port port = serial_port;
    serial_port = (struct serial_port){.base = LEGACY_PORT, .stride = 1, .fifo = 1};
    uintptr_t base = map_device(place->address, serial_size(place));
    if (base == 0)
        return; /* memory.refused says so */
    serial_port = port;
    serial_move(base);
}

static void open_later(void)
{
    const struct serial_place *place = &console_choice.later;
    if (console_choice.later_source == NULL)
        return;
    uintptr_t base = map_device(place->address, serial_size(place));
    const char *problem =
        base == 0 ? "it cannot be mapped" : console_open(console_choice.later_source, place, base);
    if (problem != NULL)
        console_refuse(console_choice.later_source, place, problem);
}

void console_map(void)
{
    framebuffer_hide();
    map_serial();
    if (framebuffer_map() != STATUS_OK)
        log_event("console.refused",
                  "device=screen message=\"it cannot be mapped; there is no log on the screen from "
                  "here on\"");
    open_later();
}

/* --- screen and keyboard --- */

void console_start_screen(const struct boot_info *boot)
{
    static const struct console_device device = {
        .write = framebuffer_write, .flush = framebuffer_flush, .turn = framebuffer_turn};
    const struct boot_framebuffer *screen = &boot->framebuffer;
    const char *message = NULL;
    if (!boot_info_sound(boot))
        return;
    if (screen->format == BOOT_FRAMEBUFFER_NONE && screen->problem[0] == '\0') {
        log_event("console.screen", "message=\"none: the loader found none\"");
        return;
    }
    enum status status = screen->format != BOOT_FRAMEBUFFER_NONE ? framebuffer_init(boot, &message)
                                                                 : STATUS_UNSUPPORTED;
    if (status != STATUS_OK) {
        log_event("console.refused",
                  "device=screen base=%#lx width=%u height=%u stride=%u status=%s message=\"%s; "
                  "there is no log on the screen\"",
                  screen->base, screen->width, screen->height, screen->stride, status_name(status),
                  message != NULL ? message : screen->problem);
        return;
    }
    console_replay(framebuffer_write, false);
    console_register(&device);
    bool remarks = message != NULL || screen->problem[0] != '\0';
    log_event("console.screen", "base=%#lx width=%u height=%u stride=%u%s%s%s%s%s", screen->base,
              screen->width, screen->height, screen->stride, remarks ? " message=\"" : "",
              message != NULL ? message : "",
              message != NULL && screen->problem[0] != '\0' ? "; " : "", screen->problem,
              remarks ? "\"" : "");
}

void console_start_keyboard(bool denied)
{
    static const struct console_device device = {.read = keyboard_read};
    static const char *const messages[] = {
        [KEYBOARD_ABSENT] = "no keyboard controller answers",
        [KEYBOARD_TRAPPED] = "firmware emulates the keyboard controller, and each look at it stops "
                             "all cores (SMI)",
    };
    enum keyboard_found found = denied ? KEYBOARD_ABSENT : keyboard_probe();
    if (found == KEYBOARD_FOUND) {
        log_event("console.keyboard", "type=ps2");
        console_register(&device);
        return;
    }
    log_event("console.refused",
              "device=keyboard message=\"%s; it is not looked at again: type at a serial "
              "port, or let a guest with console_input = yes drive a USB keyboard\"",
              denied ? "the FADT denies that there is a keyboard controller" : messages[found]);
}

void console_settle(void)
{
    framebuffer_settle();
}
