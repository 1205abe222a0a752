/* SPDX-License-Identifier: MIT */
/* Memory that the CPU reads for as long as the machine runs. setup/descriptors.h says what is in
 * it. */
#pragma once

#include "hypervisor/base/this_core.h"

#define CORE_TABLES_SIZE 192 /* struct core_tables: a core's segment descriptors and task state */
#define CORE_GDT_SIZE    40  /* the task state begins there */
#define SELECTOR_CODE    0x08
#define SELECTOR_DATA    0x10
#define SELECTOR_TSS     0x18
extern uint8_t core_tables[CPU_MAX][CORE_TABLES_SIZE];
extern uint8_t idt[PAGE_SIZE]; /* struct gate */
/* Used while interrupts that a guest left behind are dropped. Its APIC takes vectors from 16 up
 * (SDM 3A 11.5.2), so exceptions' numbers are among them and mean nothing. */
extern uint8_t discard_idt[PAGE_SIZE];
