/* SPDX-License-Identifier: MIT */
/* How the hypervisor carries out actions of firmware's tables at boot. */
#pragma once

#include "hypervisor/acpi/action.h"

/* Whether no step's register lies in memory that is used as such: nobody has registers there. The
 * log says so otherwise. */
MUST_CHECK bool actions_sound(const struct acpi_actions *actions, const char *table);
/* acpi_action_run() on this machine's ports and registers. */
MUST_CHECK enum status actions_run(const struct acpi_actions *actions, uint8_t action,
                                   uint64_t *value);

/* Stops the watchdog that a WDAT describes: nobody here would feed it. */
void watchdog_stop(const void *table, uint32_t length);
/* Works out how an ERST stores a record, and notes it for crash_store_write(). */
void erst_prepare(const void *table, uint32_t length);
