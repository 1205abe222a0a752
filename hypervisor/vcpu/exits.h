/* What the files of the exit dispatcher share. */
#pragma once

#include "hypervisor/vcpu/vcpu.h"

/* A back-end's run() calls it for each exit, on the vCPU's own core: vcpu->exit says what it was,
 * and vcpu->registers holds all general registers. */
enum outcome vcpu_exit_handle(struct vcpu *vcpu);

/* The same where the CPU does not report the length of the instruction that exited; also advances
 * RIP. The instruction is decoded first: if it can no longer be read, it has had no effect yet. */
enum outcome vcpu_exit_handle_decoded(struct vcpu *vcpu);

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
#define EXCEPTION_UD 6
#define EXCEPTION_GP 13
enum outcome vcpu_fault(struct vcpu *vcpu, uint8_t vector);

/* General registers by number; RSP comes from and goes to the back-end. */
uint64_t vcpu_register(struct vcpu *vcpu, unsigned number);
void vcpu_set_register(struct vcpu *vcpu, unsigned number, uint64_t value);

/* fetch.c: the bytes at RIP, through the guest's own page tables. Returns how many could be read
 * (0..15) and the code's width in bits. Paging with 32-bit, PAE and 4-level tables. */
size_t vcpu_fetch(struct vcpu *vcpu, const struct vcpu_state *state, uint8_t *bytes,
                  unsigned *code_bits);
/* Guest-virtual memory, as code at CPL 0 would read it; returns how much could be read. */
size_t vcpu_read_virtual(struct vcpu *vcpu, const struct vcpu_state *state, uint64_t address,
                         void *bytes, size_t size);
/* Return addresses along the frame pointers from RBP on, innermost first, at most `most`; none or
 * senseless ones where the guest's compiler left frame pointers out. */
size_t vcpu_call_chain(struct vcpu *vcpu, const struct vcpu_state *state, uint64_t *returns,
                       size_t most);
/* Length of the instruction at RIP; 0 when it cannot be told. */
uint8_t vcpu_instruction_length(struct vcpu *vcpu);
/* The general register of the MOV to or from a control register at RIP; false: it cannot be read.
 */
bool vcpu_control_source(struct vcpu *vcpu, uint8_t *general);

/* emulate/memory.c, policy/control_registers.c, policy/cpuid.c */
typedef enum outcome exit_handler(struct vcpu *vcpu);
exit_handler exit_memory, exit_control_register, exit_xsetbv, exit_cpuid;
