/* SPDX-License-Identifier: MIT */
/* The prompt's commands without the rest of the hypervisor: what they print is kept. Static on
 * purpose. */
#pragma once

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "hypervisor/audit/audit.h"
#include "hypervisor/guest/lifecycle.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/monitor/commands.h"
#include "hypervisor/monitor/decode.h"
#include "hypervisor/monitor/guest_console.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/power.h"
#include "hypervisor/x86/registers.h"
#include "tests/labs/checks/check.h"
#include "tests/unit/support/host.h"

const char help_text[] = "";
static char answer[4096];

void console_printf(const char *format, ...)
{
    size_t used = strlen(answer);
    va_list arguments;
    va_start(arguments, format);
    (void)format_text_list(answer + used, sizeof answer - used, format, arguments);
    va_end(arguments);
}

static void type(const char *name)
{
    char *words[] = {(char[]){""}, NULL};
    answer[0] = '\0';
    asking("%s", name);
    for (const struct command *command = monitor_commands; command->name != NULL; command++) {
        if (strcmp(command->name, name) != 0)
            continue;
        if (command->show != NULL)
            command->show();
        else
            command->run(words);
        return;
    }
    is_wrong("the command %s is no longer in monitor_commands", name);
}

/* What other commands need. */
#define NOT_HERE(name)                                                                             \
    void name(void)                                                                                \
    {                                                                                              \
    }
#define NOT_HERE_EITHER(name)                                                                      \
    void name(char *const words[])                                                                 \
    {                                                                                              \
    }
NOT_HERE(command_devices)
NOT_HERE(command_groups)
NOT_HERE(command_domains)
NOT_HERE(command_faults)
NOT_HERE(command_map)
NOT_HERE(command_exits)
NOT_HERE(command_top)
NOT_HERE(guest_console_drain)
NOT_HERE_EITHER(command_iommu)
NOT_HERE_EITHER(command_walk)
NOT_HERE_EITHER(command_why)
NOT_HERE_EITHER(command_change)
NOT_HERE_EITHER(command_move)
NOT_HERE_EITHER(command_console)
NOT_HERE_EITHER(command_log)
NOT_HERE_EITHER(command_more)

const char *command_state(const struct guest *guest)
{
    return "running";
}

bool guest_console_service(void)
{
    return true;
}

void guests_stop_all(bool (*meanwhile)(void))
{
}

void machine_reboot(void)
{
    is_wrong("the machine was reset");
}

void machine_power_off(uint8_t debug_exit)
{
    is_wrong("the machine was switched off");
}

const struct audit_findings *audit_findings(void)
{
    static const struct audit_findings none;
    return &none;
}

bool audit_enforce(void)
{
    return true;
}

const char *decode_print(const char *text)
{
    return text;
}

const struct frame_range *frames_range(size_t index)
{
    return NULL;
}

uint64_t frames_bytes(owner_t owner)
{
    return 0;
}

uint64_t frames_ram_bytes(owner_t owner)
{
    return 0;
}

const char *owner_name(owner_t owner)
{
    return "nobody";
}
