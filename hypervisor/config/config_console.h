/* SPDX-License-Identifier: MIT */
/* `console = ...`: which serial port the hypervisor's console has. */
#pragma once

#include "hypervisor/base/core.h"

enum config_console_kind {
    CONSOLE_AUTO, /* what firmware's tables name, else COM1 */
    CONSOLE_NONE,
    CONSOLE_PORT,   /* com1 to com4 */
    CONSOLE_PCI,    /* pci:bb:dd.f */
    CONSOLE_MEMORY, /* mmio:ADDRESS[,STRIDE] */
};

struct config_console {
    enum config_console_kind kind;
    uint16_t port;    /* CONSOLE_PORT: the first I/O port */
    uint32_t rid;     /* CONSOLE_PCI: segment << 16 | RID */
    uint64_t address; /* CONSOLE_MEMORY: physical */
    uint8_t stride;   /* CONSOLE_MEMORY: 1, 2 or 4 bytes */
};

/* The value of the key, `size` bytes; false, changing nothing, for anything that is none. */
MUST_CHECK bool config_console_read(const char *text, size_t size, struct config_console *console);
/* The same of the last word `console=VALUE` of a command line; false without a good one. */
MUST_CHECK bool config_console_find(const char *command_line, struct config_console *console);
