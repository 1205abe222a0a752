/* SPDX-License-Identifier: MIT */
/* Segment descriptors and task states, one set per core (SDM 3A 3.4.5, 8.7); the gates of all. */
#pragma once

#include "hypervisor/x86/descriptors.h"

/* Which stack of the task state an exception's handler runs on (SDM 3A 7.14.5). */
enum exception_stack { STACK_CURRENT, STACK_NMI, STACK_DOUBLE_FAULT, STACK_MACHINE_CHECK };
#define EXCEPTION_STACKS 3

struct task_state {
    uint32_t reserved0;   /* 0x00 */
    uint64_t rsp[3];      /* 0x04 */
    uint64_t reserved1;   /* 0x1c */
    uint64_t ist[7];      /* 0x24: ist[0] is IST1 */
    uint64_t reserved2;   /* 0x5c */
    uint16_t reserved3;   /* 0x64 */
    uint16_t io_map_base; /* 0x66 */
} PACKED;
_Static_assert(sizeof(struct task_state) == 104, "SDM 3A 8.7");
_Static_assert(offsetof(struct task_state, ist) == 0x24, "SDM 3A 8.7");

struct core_tables {
    uint64_t gdt[5]; /* null, code, data, TSS (two entries) */
    struct task_state tss;
};
_Static_assert(sizeof(struct core_tables) <= CORE_TABLES_SIZE, "x86/descriptors.h");
_Static_assert(offsetof(struct core_tables, tss) == CORE_GDT_SIZE, "x86/descriptors.h");

struct gate {               /* SDM 3A 7.14.1 */
    uint16_t offset_low;    /* 0 */
    uint16_t selector;      /* 2 */
    uint8_t stack;          /* 4: IST */
    uint8_t type;           /* 5 */
    uint16_t offset_middle; /* 6 */
    uint32_t offset_high;   /* 8 */
    uint32_t reserved;      /* 12 */
};
_Static_assert(sizeof(struct gate) == 16, "SDM 3A 7.14.1");

#define IDT_ENTRIES 256
_Static_assert(IDT_ENTRIES * sizeof(struct gate) == PAGE_SIZE, "x86/descriptors.h");
