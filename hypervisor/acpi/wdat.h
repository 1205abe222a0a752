/* SPDX-License-Identifier: MIT */
/* WDAT: a watchdog that firmware may have left running (Microsoft, Hardware Watchdog Timers Design
 * Specification, 3). */
#pragma once

#include "hypervisor/acpi/action.h"

enum wdat_action {
    WDAT_QUERY_RUNNING = 0x08,
    WDAT_QUERY_STOPPED = 0x0a,
    WDAT_STOP = 0x0b,
};

struct wdat {
    uint32_t period;  /* milliseconds a count */
    uint32_t longest; /* counts */
    bool enabled;     /* as the table says */
    struct acpi_actions actions;
};

/* STATUS_INVALID with `problem` for a table that contradicts itself: nothing of it is used. */
MUST_CHECK enum status wdat_parse(const void *table, uint32_t length, struct wdat *wdat,
                                  struct acpi_problem *problem);
