/* SPDX-License-Identifier: MIT */
/* The monitor's commands: a table of names, arguments and functions; and what they all use. */
#pragma once

#include "hypervisor/base/format.h"
#include "hypervisor/guest/faults.h"
#include "hypervisor/iommu/domain.h"
#include "hypervisor/iommu/report.h"
#include "hypervisor/monitor/console.h"
#include "hypervisor/monitor/names.h"
#include "hypervisor/monitor/usage.h"

#define COMMAND_WORDS 6 /* `more` and the longest command */

struct command {
    const char *name;
    const char *arguments; /* how many and what they are: setup/usage.h */
    const char *help;
    void (*show)(void);               /* one that looks at no arguments, or NULL */
    void (*run)(char *const words[]); /* else; words[0] is the name, NULL ends them */
};

/* What boot.start said. */
extern char command_version_text[224];

extern const struct command monitor_commands[]; /* ends with a NULL name */
#define COMMANDS_MAX 48
extern struct usage command_usages[COMMANDS_MAX];     /* of each row, by setup/words.h */
const struct command *command_find(const char *name); /* monitor.c; NULL: there is none */

/* commands_devices.c: PCI functions. */
void command_devices(void);
/* All functions in the order of `devices`, set up by setup/words.h; ends with NULL. */
extern const struct pci_function *command_tree[PCI_MAX_FUNCTIONS + 1];
void command_groups(void);
/* commands_iommu.c: what devices reach. */
void command_iommu(char *const words[]);
extern const char *iommu_words[IOMMU_MAX_UNITS]; /* of its capabilities; NULL: not known */
void command_domains(void);
void command_walk(char *const words[]);
void command_why(char *const words[]);
void command_faults(void);
/* commands_map.c: who has what and reaches what, for programs. */
void command_map(void);
/* commands_exits.c: what guests leave guest mode for. */
void command_exits(void);
void command_top(void);
/* The prompt's every turn, and every key: the next table if its time has come; a key ends them.
 * True while the keys and the screen are theirs. */
bool command_top_turn(bool key);
/* commands_guests.c: a guest's state in words, and the commands that change it. */
struct guest;
const char *command_state(const struct guest *guest);
/* start, stop, restart, pause, resume: by words[0]. */
void command_change(char *const words[]);
void command_move(char *const words[]);
void command_console(char *const words[]);
/* commands_log.c: what was logged. */
void command_log(char *const words[]);
/* pager.c: any command's answer in pages. */
void command_more(char *const words[]);
