/* SPDX-License-Identifier: MIT */
/* What the files of the SVM back-end share. Others use vcpu.h. */
#pragma once

#include "hypervisor/vcpu/svm/vmcb.h"
#include "hypervisor/vcpu/backend.h"

static inline struct vmcb *svm_vmcb(const struct vcpu *vcpu)
{
    return (struct vmcb *)vcpu->control_page;
}

/* Found out at boot. */
extern struct svm_features {
    bool next_rip;              /* CPUID 8000000A EDX.NRIPS */
    bool misses_machine_checks; /* QEMU's TCG: the guest takes #MC itself */
} svm_features;

/* --- exit.c: no hardware is touched --- */
struct svm_exit_context {
    bool has_next_rip;
    uint64_t host_cr3;
};
/* Turns the exit that the VMCB describes into a neutral one, and prepares the event that it
 * interrupted for another delivery. */
void svm_exit_decode(struct vcpu *vcpu, const struct svm_exit_context *context,
                     struct vcpu_exit *exit);
/* Length of the instruction that exited; 0 when the CPU does not tell. */
uint8_t svm_instruction_length(const struct vmcb *vmcb, const struct svm_exit_context *context);

void svm_exit_exception(struct vcpu_exit *exit, uint8_t vector, bool has_error, uint32_t error);

/* --- handle.c --- */
/* Hands vcpu->exit to the dispatcher, at `rip`, and advances RIP. `length` of the instruction that
 * exited: 0 where the CPU does not tell; then it is decoded first, since one that can no longer be
 * read has had no effect yet. So is the register that moves to or from a control register. */
enum outcome svm_exit_handle(struct vcpu *vcpu, uint8_t length, uint64_t rip);

/* --- nmi.c: no hardware is touched but the APIC --- */
/* Delivers one NMI to the guest: at the next VMRUN, or once its handler of the last one is done. */
void svm_nmi_inject(struct vcpu *vcpu);
/* Handles the exits by which NMI blocking ends; false: it is another exit. */
bool svm_nmi_exit(struct vcpu *vcpu, struct vcpu_exit *exit);

/* --- state.c --- */
/* #DB and #AC: otherwise a guest that makes their delivery fault never leaves the microcode
 * (CVE-2015-8104, CVE-2015-5307). #MC belongs to the hypervisor. */
#define SVM_INTERCEPTED_EXCEPTIONS (1u << 1 | 1u << 17 | 1u << 18)
#define DR6_STEP                   BIT(14)
/* What no struct vcpu_state carries, as it is after reset: before the first run and each restart.
 */
void svm_vmcb_restart(struct vmcb *vmcb);
void svm_read_mode(struct vcpu *vcpu, struct vcpu_state *state);
void svm_read_state(struct vcpu *vcpu, struct vcpu_state *state);
void svm_write_state(struct vcpu *vcpu, const struct vcpu_state *state);
uint64_t svm_efer(struct vcpu *vcpu);
bool svm_osxsave(struct vcpu *vcpu);
unsigned svm_cpl(struct vcpu *vcpu);
void svm_set_rip(struct vcpu *vcpu, uint64_t rip);
void svm_inject(struct vcpu *vcpu, uint8_t vector, bool has_error, uint32_t error);
void svm_flush_memory(struct vcpu *vcpu);
/* The first rule of APM 2 15.5.1 that the VMCB breaks, in words; NULL when none is found. */
const char *svm_state_fault(const struct vmcb *vmcb);

/* --- entry.asm --- */
/* Runs the guest until its next exit. Called and left with GIF = 0. Both addresses physical. */
void svm_enter(struct vcpu *vcpu, uint64_t vmcb, uint64_t host);
