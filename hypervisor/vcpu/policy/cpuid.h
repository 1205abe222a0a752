/* SPDX-License-Identifier: MIT */
/*
 * What CPUID tells a guest: the core's own answer, cut down by a table to what a guest can use.
 * A leaf or bit that the table does not name does not exist.
 */
#pragma once

#include "hypervisor/base/core.h"
#include "hypervisor/x86/registers.h"

struct vcpu;

/* Executes CPUID, or gives a model's answers. */
typedef struct cpuid_result cpuid_query(uint32_t leaf, uint32_t subleaf);

#define CPUID_HIGHEST_BASIC    0x1f
#define CPUID_HIGHEST_EXTENDED 0x80000021
#define CPUID_FIXED            8

#define XCR0_X87    BIT(0)
#define XCR0_SSE    BIT(1)
#define XCR0_AVX    BIT(2)
#define XCR0_AVX512 BITS(7, 5)

/* What this machine lets guests have: hypervisor/setup/cpuid_policy.c finds out. */
extern struct cpuid_machine {
    uint32_t highest_extended;
    uint32_t last_row; /* of the table that is the machine's leaf too */
    uint64_t xcr0;     /* extended state components that guests may enable; 0 without XSAVE */
    uint32_t xsave_size;
    uint64_t cr4,
        efer; /* what guests may set: bits whose feature CPUID shows them; LMA is the CPU's */
    /* Leaves whose answer is the same each time, before the tables. */
    unsigned fixed_count;
    struct {
        uint32_t leaf;
        struct cpuid_result answer;
    } fixed[CPUID_FIXED];
} cpuid_machine;

/* True when XSETBV of this value to XCR0 would be accepted by a CPU with these components. */
bool cpuid_policy_xcr0_valid(uint64_t value);
