/* SPDX-License-Identifier: MIT */
/*
 * What all probes stand on: a state of the CPU is entered, and the next exception, interrupt or INT
 * ends it. A probe that ran to its end takes VECTOR_DONE.
 *
 * Code and data of probes have fixed linear addresses in an arena of their own, so that what is
 * printed does not depend on where the image lies.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/runtime/runtime.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define BIT(n)       (UINT64_C(1) << (n))

struct cpu_state {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rip, cs, rflags, rsp, ss;
    uint64_t vector, error, cr2, dr6; /* what was taken */
    uint16_t data, data_after;        /* DS and ES before, DS after */
};
_Static_assert(offsetof(struct cpu_state, rip) == 120 &&
                   offsetof(struct cpu_state, vector) == 160 &&
                   offsetof(struct cpu_state, data) == 192,
               "engine.asm");

void engine_enter(struct cpu_state *state);
extern const uint64_t engine_entries[256];

/* runtime.c has them. */
void *memcpy(void *restrict destination, const void *restrict source, size_t size);
void *memset(void *destination, int value, size_t size);

#define VECTOR_DB   1
#define VECTOR_NMI  2
#define VECTOR_UD   6
#define VECTOR_GP   13
#define VECTOR_PF   14
#define VECTOR_DONE 0x20

#define RFLAGS_FIXED BIT(1)
#define RFLAGS_TF    BIT(8)
#define RFLAGS_IF    BIT(9)
#define RFLAGS_RF    BIT(16)

/* Selectors (tables.c) */
#define CODE_64      0x08
#define DATA         0x10
#define CODE_32      0x18
#define CODE_16      0x20
#define USER_DATA    0x2b
#define USER_CODE_64 0x33
#define USER_CODE_32 0x3b
#define NOT_PRESENT  0x40
#define TASK         0x48 /* 16 bytes */
#define SMALL_DATA   0x58 /* 4 KiB from PAGE_DATA */
#define DOWN_DATA    0x60 /* expands down, from 4 KiB */
#define READ_ONLY    0x68
#define EXECUTE_ONLY 0x70
#define CONFORMING   0x78
#define CODE_ABSENT  0x80
#define LOCAL_TABLE  0x88 /* 16 bytes */
#define GATE         0x98 /* 16 bytes: a call gate to PAGE_CODE */
#define SMALL_CODE   0xa8 /* 32-bit, 4 KiB from PAGE_CODE */
#define DATA_16      0xb0
#define BEYOND       0x1000

/* The arena: linear addresses below 4 GiB, so that compatibility mode reaches them. */
#define ARENA           0x40000000u
#define PAGE_CODE       (ARENA + 0x00000)
#define PAGE_DATA       (ARENA + 0x01000)
#define PAGE_STACK      (ARENA + 0x02000)
#define PAGE_USER_CODE  (ARENA + 0x04000)
#define PAGE_USER_DATA  (ARENA + 0x05000)
#define PAGE_USER_STACK (ARENA + 0x06000)
#define PAGE_READ_ONLY  (ARENA + 0x08000)
#define PAGE_USER_READ  (ARENA + 0x09000) /* read-only, user */
#define PAGE_NO_EXECUTE (ARENA + 0x0a000)
#define PAGE_USER_NX    (ARENA + 0x0b000)
#define PAGE_ABSENT     (ARENA + 0x0c000)
#define PAGE_RESERVED   (ARENA + 0x0d000) /* bit 51 set */
#define PAGE_LAST_CODE  (ARENA + 0x0e000) /* followed by one that is absent */
#define PAGE_USER_LAST  (ARENA + 0x10000) /* likewise */
#define STACK_TOP       (PAGE_STACK + 0xf00)
#define USER_STACK_TOP  (PAGE_USER_STACK + 0xf00)
#define PAGE_MMIO       (ARENA + 0x20000) /* set by engine_map() */

/* Descriptor tables, page tables, vectors. */
void engine_begin(void);
/* Linear page of the arena -> physical page with flags. */
void engine_map(uint64_t linear, uint64_t physical, uint64_t flags);
uint64_t engine_entry(uint64_t linear);
void engine_set_entry(uint64_t linear, uint64_t entry);
uint64_t engine_entry_address(uint64_t linear);
/* Makes the last canonical page of the lower half another name of an arena page. */
void engine_map_edge(uint64_t linear);
/* The gate of a vector, as it is made by default with other attributes. */
void engine_gate(unsigned vector, unsigned dpl, bool present);
void engine_limit_idt(unsigned vectors);
/* A handler that returns by IRET, on the stack that was interrupted. */
void engine_handler(unsigned vector, uint64_t handler);

enum mode { KERNEL_64, USER_64, KERNEL_32, USER_32, KERNEL_16, MODES };
extern const char *const mode_names[MODES];

/* A state that runs `code` in a mode, followed by INT VECTOR_DONE; all registers zero. */
void engine_prepare(struct cpu_state *state, enum mode mode, const uint8_t *code, size_t length);
/* Where prepare() put the code. */
uint64_t engine_code(enum mode mode);

/* The machine has QEMU's CPU, which answers some probes with its own end. */
extern bool on_qemu;

void cpuid_read(uint32_t leaf, uint32_t subleaf, uint32_t registers[4]);
/* Vector, 0 when it succeeded. */
unsigned msr_get(uint32_t msr, uint64_t *value);
unsigned msr_put(uint32_t msr, uint64_t value);

/* --- lines --- */
/* "= name: result". Every probe is one of these. Two share a line of the log, whose own part is
 * long. */
extern unsigned probes_said;
extern uint64_t say_pace; /* microseconds to wait after each: the log drops what comes too fast */
void say_end(void);
#define say(format, ...) (print("= " format " ", ##__VA_ARGS__), say_end())
/* What was taken: vector, error code, place and flags, CR2 and DR6 where they mean something. */
void say_taken(const char *name, const char *what, const struct cpu_state *state, uint64_t code,
               size_t length);
