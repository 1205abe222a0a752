/* SPDX-License-Identifier: MIT */
/*
 * Access to the current VMCS and the VMX instructions. Each instruction's outcome (RFLAGS.CF and
 * ZF, SDM 3C 31.2) is looked at; a failure is logged in the manual's words.
 *
 * Host tests put an array of their own behind vmcs_read() and vmcs_write().
 */
#pragma once

#include "hypervisor/vcpu/vmx/registers.h"
#include "hypervisor/x86/registers.h"

/* Guest registers that no VMCS field holds: they are in the core itself (entry.asm says why). */
enum core_register { CORE_CR2, CORE_DR6 };

/* Logs `vmx.failed instruction= field= error= message=`. `valid` tells VMfailValid (an error number
 * is in the VMCS) from VMfailInvalid (there is no current VMCS). */
void vmcs_access_failed(const char *instruction, uint32_t field);

#if __STDC_HOSTED__

uint64_t vmcs_read(enum vmcs_field field);
void vmcs_write(enum vmcs_field field, uint64_t value);
uint64_t guest_register_read(enum core_register which);
void guest_register_write(enum core_register which, uint64_t value);

static inline uint64_t vmcs_get(enum vmcs_field field)
{
    return vmcs_read(field);
}

static inline void vmcs_set(enum vmcs_field field, uint64_t value)
{
    vmcs_write(field, value);
}

#else

/* For the way from an exit to the next entry: there is a current VMCS, since the exit came from it,
 * and it has the field, since every CPU has it (SDM 3D B) or load() has accessed it by the
 * functions below. So nothing is left that could fail. */
static inline uint64_t vmcs_get(enum vmcs_field field)
{
    uint64_t value;
    __asm__ volatile("vmread %1, %0" : "=r"(value) : "r"((uint64_t)field) : "cc");
    return value;
}

static inline void vmcs_set(enum vmcs_field field, uint64_t value)
{
    __asm__ volatile("vmwrite %0, %1" : : "r"(value), "r"((uint64_t)field) : "cc");
}

static inline uint64_t vmcs_read(enum vmcs_field field)
{
    uint64_t value;
    bool done;
    __asm__ volatile("vmread %2, %0" : "=r"(value), "=@cca"(done) : "r"((uint64_t)field));
    if (__builtin_expect(!done, 0)) {
        vmcs_access_failed("vmread", field);
        return 0;
    }
    return value;
}

static inline void vmcs_write(enum vmcs_field field, uint64_t value)
{
    bool done;
    __asm__ volatile("vmwrite %1, %2" : "=@cca"(done) : "r"(value), "r"((uint64_t)field));
    if (__builtin_expect(!done, 0))
        vmcs_access_failed("vmwrite", field);
}

static inline uint64_t guest_register_read(enum core_register which)
{
    uint64_t value;
    if (which == CORE_CR2)
        __asm__ volatile("mov %%cr2, %0" : "=r"(value));
    else
        __asm__ volatile("mov %%dr6, %0" : "=r"(value));
    return value;
}

static inline void guest_register_write(enum core_register which, uint64_t value)
{
    if (which == CORE_CR2)
        __asm__ volatile("mov %0, %%cr2" : : "r"(value));
    else
        __asm__ volatile("mov %0, %%dr6" : : "r"(value));
}

#endif

/* Makes the VMCS current on this core; only one core at a time may have it. */
MUST_CHECK enum status vmcs_load(uint64_t physical);
/* Writes the VMCS back to memory and makes it neither active, current nor launched. */
MUST_CHECK enum status vmcs_clear(uint64_t physical);

/* Discard what this core cached of an EPT hierarchy, or of guest-linear translations. */
void vmx_invept(uint64_t type, uint64_t ept_pointer);
void vmx_invvpid(uint64_t type, uint16_t vpid);
