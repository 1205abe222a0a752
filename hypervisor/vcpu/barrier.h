/* SPDX-License-Identifier: MIT */
/*
 * What a core's predictors, first cache and buffers still hold of whoever ran on it. Which of it
 * this CPU can clear, hypervisor/setup/speculation.c finds out.
 */
#pragma once

#include "hypervisor/base/core.h"

extern struct core_barriers {
    bool predictors; /* IBPB: branch predictions do not outlive it (SDM 4, IA32_PRED_CMD) */
    bool cache;      /* the first data cache is written back and emptied (IA32_FLUSH_CMD) */
    bool buffers;    /* VERW overwrites fill buffers, store buffers and load ports */
} core_barriers;

/* Between two owners of this core: what the CPU can clear is cleared. */
void core_barrier(void);
