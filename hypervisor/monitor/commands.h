/* SPDX-License-Identifier: MIT */
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

/* commands_guests.c: a guest's state in words, and the commands that change it. */
struct guest;
const char *command_state(const struct guest *guest);
void command_start(unsigned count, char *const words[]);
void command_stop(unsigned count, char *const words[]);
void command_restart(unsigned count, char *const words[]);
void command_pause(unsigned count, char *const words[]);
void command_resume(unsigned count, char *const words[]);
void command_move(unsigned count, char *const words[]);
void command_console(unsigned count, char *const words[]);
