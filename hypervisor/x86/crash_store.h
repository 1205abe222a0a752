/* SPDX-License-Identifier: MIT */
/* Keeps the newest of the log in firmware's store for error records when the hypervisor has an
 * exception. What to write where was worked out at boot (setup/erst.c). */
#pragma once

#include "hypervisor/base/core.h"

#define CRASH_STORE_STEPS 32

extern struct crash_store {
    volatile uint64_t *log; /* where the newest words of the log go; NULL: there is no store */
    size_t words;
    unsigned count;
    struct crash_store_step {
        uintptr_t address; /* mapped, or a port */
        uint64_t value;    /* what is written, or what is waited for to go away */
        uint64_t mask;     /* of what is read: what stays, or what is compared */
        uint8_t width;     /* bytes: 4 or 8, as a port 1 or 4 */
        bool port;
        bool wait; /* as long as the value is read, from `back` steps before */
        uint8_t back;
    } steps[CRASH_STORE_STEPS];
} crash_store;

/* Writes the record, once. Waits for two seconds at most. */
void crash_store_write(void);
