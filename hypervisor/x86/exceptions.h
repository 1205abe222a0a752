/* SPDX-License-Identifier: MIT */
/* Exceptions, NMIs and interrupts taken by the hypervisor itself. */
#pragma once

#include "hypervisor/x86/registers.h"

/* What vectors.asm pushes, lowest address first; then what the CPU pushed (SDM 3A 7.14.2). */
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8; /* 0x00 */
    uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;    /* 0x40 */
    uint64_t vector;                               /* 0x78 */
    uint64_t error;                                /* 0x80 */
    uint64_t rip, cs, rflags, rsp, ss;             /* 0x88 */
};
_Static_assert(offsetof(struct trap_frame, vector) == 0x78, "vectors.asm");
_Static_assert(sizeof(struct trap_frame) == 0xb0, "vectors.asm; keeps the stack aligned to 16");

/* An NMI that arrives while RIP is in [begin, end) continues at `resume`: for code that looks for
 * a kick and then waits or enters a guest, which the kick must not fall between. The first is
 * cpu_wait()'s; a back-end has the others, which setup/ writes on the boot core before others run.
 */
#define NMI_WINDOWS 3
extern struct nmi_window {
    uintptr_t begin, end, resume;
} nmi_windows[NMI_WINDOWS];

/* Whether an address lies in a stack's guard page: an overflow is then called so. NULL until the
 * boot core's address space is there. */
extern bool (*exceptions_is_guard)(uintptr_t address);

/* What else is to be said and kept once an exception has ended a core; NULL: nothing. Written at
 * boot. */
extern void (*exceptions_report)(void);

/* Opens interrupts for a moment and drops whatever is pending, each with its EOI. */
void interrupts_discard(void);

void interrupt_handle(const struct trap_frame *frame); /* interrupts.c */
