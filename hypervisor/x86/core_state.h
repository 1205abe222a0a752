/* SPDX-License-Identifier: MIT */
/* What core.c keeps and setup/ fills. */
#pragma once

#include "hypervisor/x86/cpu.h"

extern struct core_states {
    struct cpu cpus[CPU_MAX];
    volatile unsigned online; /* cpu_at() and cpu_count() know so many of them */
} core_states;
