/* SPDX-License-Identifier: MIT */
/* A vCPU's registers: their numbers, the architectural state, and the states that it starts in. */
#pragma once

#include "hypervisor/base/core.h"

/* General registers in the order of x86 instruction encoding; RSP is the back-end's. Assembly
 * depends on the offsets. */
enum guest_register {
    GUEST_RAX,
    GUEST_RCX,
    GUEST_RDX,
    GUEST_RBX,
    GUEST_RSP,
    GUEST_RBP,
    GUEST_RSI,
    GUEST_RDI,
    GUEST_R8,
    GUEST_R9,
    GUEST_R10,
    GUEST_R11,
    GUEST_R12,
    GUEST_R13,
    GUEST_R14,
    GUEST_R15,
    GUEST_REGISTERS
};

#define SEGMENT_LONG BIT(13) /* of the attributes of CS */

struct vcpu_segment {
    uint16_t selector;
    uint16_t attributes; /* descriptor bits 55:52 (in 15:12) and 47:40 (in 7:0); 0x10000 n/a */
    bool unusable;
    uint32_t limit;
    uint64_t base;
};

/* Architectural state other than the general registers, for start-up and diagnosis. */
struct vcpu_state {
    uint64_t rip, rflags, rsp;
    uint64_t cr0, cr2, cr3, cr4, efer;
    struct vcpu_segment cs, ds, es, fs, gs, ss, tr, ldtr;
    uint64_t gdtr_base, idtr_base;
    uint32_t gdtr_limit, idtr_limit;
    uint64_t dr7;
};

/* Start states. PVH: 32-bit protected mode without paging (Xen PVH boot ABI). */
void vcpu_state_pvh(struct vcpu_state *state, uint32_t entry);
void vcpu_state_sipi(struct vcpu_state *state, uint8_t vector);
