/* SPDX-License-Identifier: MIT */
/* What the files of the console share: boot only. */
#pragma once

#include "hypervisor/setup/console.h"
#include "hypervisor/setup/serial.h"

extern struct console_choice {
    struct config_console wanted; /* by the command line, else the configuration */
    const char *source;           /* of the port that is open; NULL: none is */
    struct serial_place place;    /* that port */
    const char *later_source;     /* of one that cannot be reached yet; NULL: there is none */
    struct serial_place later;
} console_choice;

/* Opens the port, shows the log on it and says so; NULL, or why not. */
const char *console_open(const char *source, const struct serial_place *place, uintptr_t base);
/* Logs console.refused. */
void console_refuse(const char *source, const struct serial_place *place, const char *problem);
/* What was logged so far, for a device that comes late. */
void console_replay(void (*write)(const char *text, size_t size), bool wants_return);
