/* SPDX-License-Identifier: MIT */
/*
 * Trying what a guest may not have: an exception that it raises is counted, and the program goes on
 * behind the instruction.
 */
#pragma once

#include "guest/runtime/runtime.h"

/* Exceptions taken, and the length of the instruction that is tried. */
extern volatile unsigned attempt_faults;
extern volatile uint64_t attempt_skip;

/* Takes an exception in a handler of the program's own. */
void attempt_gate(unsigned vector, uint64_t handler);
/* Takes #UD and #GP from now on. */
void attempt_begin(void);
/* Takes NMIs and interrupts with vectors 16 to 31 from now on, which are exceptions to the runtime.
 */
extern volatile unsigned attempt_strays;
void attempt_take_strays(void);

/* xorshift64; begins with `seed`. */
void random_begin(uint64_t seed);
uint64_t random_number(void);

/* False: it faulted. */
bool attempt_read_msr(uint32_t msr, uint64_t *value);
bool attempt_write_msr(uint32_t msr, uint64_t value);

/* Of 1, 2 or 4 bytes. */
void port_write(uint16_t port, unsigned width, uint32_t value);
uint32_t port_read(uint16_t port, unsigned width);
void memory_write(uintptr_t address, unsigned width, uint32_t value);
uint32_t memory_read(uintptr_t address, unsigned width);

/* A call of Bulkhead (hypervisor/abi/calls.h). */
int64_t guest_call(uint64_t number, uint64_t first, uint64_t second);

#define ATTEMPT(length, bytes)                                                                     \
    do {                                                                                           \
        attempt_skip = (length);                                                                   \
        __asm__ volatile(".byte " bytes : : "a"(0), "c"(0), "d"(0) : "memory");                    \
    } while (0)
