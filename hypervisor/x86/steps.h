/* SPDX-License-Identifier: MIT */
/* Lists of register accesses that were worked out at boot (setup/power.c, setup/erst.c) and are
 * carried out when nothing else can be relied on. */
#pragma once

#include "hypervisor/base/core.h"

/* The longest list is power.c's for switching off; tests/unit/test_power.c makes it whole. */
#define REGISTER_STEPS 32

struct register_step {
    uintptr_t address; /* mapped, or a port */
    uint64_t value;    /* what is written, or what is waited for to go away */
    uint64_t mask;     /* of what is read: what stays, or what is compared */
    uint64_t time;     /* microseconds: a pause behind the write; a wait's limit */
    uint8_t width;     /* bytes */
    uint8_t more;      /* registers that follow it and are written alike */
    bool port;
    bool wait;    /* as long as the value is read, from `back` steps before */
    uint8_t back; /* steps */
};

struct register_steps {
    unsigned count;
    struct register_step step[REGISTER_STEPS];
};

/* Carries them out in order. Errors: none; after a wait's limit the next step follows. */
void steps_run(const struct register_steps *steps);
