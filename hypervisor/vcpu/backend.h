/* SPDX-License-Identifier: MIT */
/*
 * What a back-end does for a guest's core. VMX is the measure of this interface; SVM stands behind
 * the same one. A back-end turns every exit into a struct vcpu_exit, so that policy is written once
 * (exits.c). How it is switched on: hypervisor/setup/vcpu.h.
 */
#pragma once

#include "hypervisor/vcpu/vcpu.h"

struct vcpu_backend {
    const char *name;          /* "vmx" or "svm" */
    uint32_t call_instruction; /* by which its guests call: ABI_CALL_VMCALL or ABI_CALL_VMMCALL */
    /* These run on the vCPU's own core. */
    enum status (*load)(struct vcpu *vcpu); /* before the first run (VMPTRLD ...) */
    void (*unload)(struct vcpu *vcpu);      /* after the last (VMCLEAR ...) */
    /* Hands each exit to vcpu_exit_handle() until one ends the run: WAIT or STOP. */
    enum outcome (*run)(struct vcpu *vcpu);
    void (*read_state)(struct vcpu *vcpu, struct vcpu_state *state);
    void (*write_state)(struct vcpu *vcpu, const struct vcpu_state *state);
    /* Only RIP, CS, the control registers but CR2, and EFER; the rest of `state` is left as it is.
     */
    void (*read_mode)(struct vcpu *vcpu, struct vcpu_state *state);
    uint64_t (*efer)(struct vcpu *vcpu);
    bool (*osxsave)(struct vcpu *vcpu); /* the guest has set CR4.OSXSAVE */
    unsigned (*cpl)(struct vcpu *vcpu);
    /* After an instruction has completed: also ends an interrupt shadow and clears RF. */
    void (*set_rip)(struct vcpu *vcpu, uint64_t rip);
    void (*inject)(struct vcpu *vcpu, uint8_t vector, bool has_error, uint32_t error);
    /* The guest-physical tables lost a mapping: discard what this core cached of them. */
    void (*flush_memory)(struct vcpu *vcpu);
    /* For the audit, on any core: the root of the guest-physical tables as the control structure
     * holds it (0: none is used). False where only the vCPU's own core could tell; such a back-end
     * may leave the function out. */
    bool (*memory_root)(const struct vcpu *vcpu, uint64_t *root);
};
extern const struct vcpu_backend vmx_backend;
extern const struct vcpu_backend svm_backend;

extern const struct vcpu_backend *vcpu_selected; /* NULL before a successful select */
static inline const struct vcpu_backend *vcpu_backend(void)
{
    return vcpu_selected;
}
