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

/* Looks once at what does not change: highest leaves, extended state. */
void cpuid_policy_init(cpuid_query *query);

/* Puts the guest's answer to (leaf, subleaf) into its registers, made from the hardware's. */
void cpuid_policy_answer(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf, cpuid_query *query);

/* Extended state components that guests may enable; 0 without XSAVE. */
uint64_t cpuid_policy_xcr0(void);
/* True when XSETBV of this value to XCR0 would be accepted by a CPU with these components. */
bool cpuid_policy_xcr0_valid(uint64_t value);
/* Bits of CR4 that guests may set: those whose feature CPUID shows them. */
uint64_t cpuid_policy_cr4(void);
/* Bits of EFER that guests may set; LMA is the CPU's. */
uint64_t cpuid_policy_efer(void);
