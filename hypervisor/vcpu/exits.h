/* What the files of the exit dispatcher share. */
#pragma once

#include "hypervisor/vcpu/vcpu.h"

enum outcome {
    OUTCOME_RESUME,
    OUTCOME_ADVANCE, /* past the instruction that exited, then on */
    OUTCOME_WAIT,    /* INIT: out of guest mode until the start-up IPI */
    OUTCOME_STOP,
};

const struct vcpu_events *vcpu_events(void);

/* Reports that the vCPU cannot go on, with its registers; OUTCOME_STOP. */
enum outcome vcpu_fail(struct vcpu *vcpu, const char *reason, const char *format, ...)
    PRINTF_LIKE(3, 4);
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
/* Length of the instruction at RIP; 0 when it cannot be told. */
uint8_t vcpu_instruction_length(struct vcpu *vcpu);

/* exit_memory.c, exit_control.c */
enum outcome exit_memory(struct vcpu *vcpu, const struct vcpu_exit *exit);
enum outcome exit_control_register(struct vcpu *vcpu, const struct vcpu_exit *exit);
enum outcome exit_xsetbv(struct vcpu *vcpu, const struct vcpu_exit *exit);
