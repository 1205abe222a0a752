/* SPDX-License-Identifier: MIT */
/* Boot: the guests of the configuration. */
#pragma once

#include "boot/boot_info.h"
#include "hypervisor/config/parse.h"

/* Creates every guest of the configuration but for its functions; its cores then overwrite its
 * memory. Logs guest.refused. A guest that cannot be made is left out, the rest goes on. */
void guests_create(const struct config *config, const struct boot_info *boot);
/* Gives them their functions, whose PFs must be ready; logs guest.created, device.assigned,
 * device.refused, guest.refused. */
void guests_give_functions(const struct config *config);
/* From here on what the guest with `console_input = yes` types is taken at the prompt; logs
 * console.input. Nothing without such a guest. */
void guests_grant_console_input(void);
