/* The monitor's commands: a table of names, arguments and functions. */
#pragma once

#include "hypervisor/base/core.h"

#define COMMAND_WORDS 4

struct command {
    const char *name;
    const char *arguments; /* for help */
    const char *help;
    unsigned required;                                /* arguments that must be there */
    void (*run)(unsigned count, char *const words[]); /* words[0] is the name */
};

extern const struct command monitor_commands[]; /* ends with a NULL name */
