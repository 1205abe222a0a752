/* SPDX-License-Identifier: MIT */
/* The TSC as the hypervisor's clock (base/clock.h). */
#pragma once

#include "hypervisor/base/core.h"

uint64_t clock_tsc_khz(void);

/* Until it is measured, and when nothing helps, the clock assumes 5 GHz: waits are then too long,
 * never too short. */
#define CLOCK_ASSUMED_KHZ UINT64_C(5000000)
#define CLOCK_SCALE_SHIFT 48

/* What setup/clock.c measures: microseconds = base_microseconds + (TSC - base_tsc) * scale / 2^48.
 */
extern struct clock_rate {
    uint64_t khz;
    uint64_t scale;
    uint64_t base_tsc;
    uint64_t base_microseconds;
    uint64_t waited; /* of all cores; after boot nobody asks */
} clock_rate;
