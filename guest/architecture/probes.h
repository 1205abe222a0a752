/* SPDX-License-Identifier: MIT */
/* The subjects, one a file. Each says lines that are the same whenever it runs. */
#pragma once

#include "guest/architecture/engine.h"

void probe_instructions(void);
void probe_apic_registers(void);
void probe_msrs(void);
void probe_control_registers(void);
void probe_protection(void);
void probe_debug(void);
void probe_interrupts(void);
void probe_features(void);
void probe_memory(void);
void probe_stale_mappings(void);
void probe_sibling(void);
