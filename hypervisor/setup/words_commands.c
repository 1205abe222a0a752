/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/words.h"

#include "hypervisor/base/log.h"
#include "hypervisor/monitor/commands.h"
#include "hypervisor/setup/usage.h"

void words_of_commands(void)
{
    for (size_t i = 0; monitor_commands[i].name != NULL; i++)
        if (usage_read(monitor_commands[i].arguments, &command_usages[i]) != STATUS_OK)
            log_event("monitor.refused",
                      "command=%s message=\"its usage has more forms or words, "
                      "or longer ones, than there is room for\"",
                      monitor_commands[i].name);
}
