/* SPDX-License-Identifier: MIT */
/* The exit dispatcher, and what handlers share. */
#pragma once

#include "hypervisor/vcpu/vcpu.h"

/* A back-end's run() calls it for each exit, on the vCPU's own core: vcpu->exit says what it was,
 * and vcpu->registers holds all general registers. */
enum outcome vcpu_exit_handle(struct vcpu *vcpu);

/* Counts an exit that is not handed to the dispatcher. */
void vcpu_exit_count(struct vcpu *vcpu, enum exit_kind kind);

/* Says to the control core whether the vCPU is in guest mode; a fence. */
static inline void vcpu_set_in_guest(struct vcpu *vcpu, uint32_t value)
{
    __atomic_store_n(&vcpu->in_guest, value, __ATOMIC_SEQ_CST);
}

/* Reports that the vCPU cannot go on, with its registers; OUTCOME_STOP. */
enum outcome vcpu_fail(struct vcpu *vcpu, const char *reason, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* A machine check came while the guest ran: the guest is stopped unless nothing of it is lost. */
enum outcome vcpu_machine_check(struct vcpu *vcpu);
/* The guest's memory no longer holds the instruction that exited: another vCPU has changed it or
 * its mapping meanwhile. True: the guest executes what is there now, with fresh translations, and
 * the CPU raises any fault itself. False: this has happened VCPU_RETRIES times in a row at the same
 * RIP with no other exit between, which is no coincidence. Call it for an exit already counted. */
#define VCPU_RETRIES 100
bool vcpu_retry(struct vcpu *vcpu, uint64_t rip);
/* Does delivering the exception push RF = 1, so that the instruction does not hit its own
 * breakpoint again when it is repeated? Faults do; #DB pushes RF unchanged (SDM 3B 18.3.1.1).
 * Neither VMX nor SVM does that when it injects (SDM 3C 27.6.1.1). */
static inline bool vcpu_pushes_rf(uint8_t vector)
{
    const uint32_t others = 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 8 | 1u << 18;
    return vector < 32 && (others >> vector & 1) == 0;
}
/* #GP(0), #UD and the like, as the guest's mode wants them; OUTCOME_RESUME. */
enum outcome vcpu_fault(struct vcpu *vcpu, uint8_t vector);

/* General registers by number; RSP comes from and goes to the back-end. */
uint64_t vcpu_register(struct vcpu *vcpu, unsigned number);
void vcpu_set_register(struct vcpu *vcpu, unsigned number, uint64_t value);

/* exits.c, emulate/memory.c, policy/control_registers.c, policy/cpuid.c */
typedef enum outcome exit_handler(struct vcpu *vcpu);
exit_handler exit_nmi, exit_memory, exit_control_register, exit_xsetbv, exit_cpuid;
