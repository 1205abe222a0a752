/* SPDX-License-Identifier: MIT */
/* Keeps the newest of the log in firmware's store for error records when the hypervisor has an
 * exception. What to write where was worked out at boot (setup/erst.c). */
#pragma once

#include "hypervisor/x86/steps.h"

extern struct crash_store {
    volatile uint64_t *log; /* where the newest words of the log go; NULL: there is no store */
    size_t words;
    struct register_steps steps;
} crash_store;

/* Writes the record, once. Waits as long as its steps say. */
void crash_store_write(void);
