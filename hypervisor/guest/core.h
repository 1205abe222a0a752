/* SPDX-License-Identifier: MIT */
/* What guests' cores run. */
#pragma once

#include "hypervisor/base/core.h"

struct cpu;

/* Idle until a vCPU is handed over (guest/cores.h), then run it to its end or overwrite its share
 * of memory, for ever. */
NO_RETURN void guest_core(struct cpu *cpu);
