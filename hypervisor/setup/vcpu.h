/* SPDX-License-Identifier: MIT */
/* Choosing a back-end, switching it on and making vCPUs: what runs only at boot. */
#pragma once

#include "hypervisor/vcpu/backend.h"

struct vcpu_setup {
    const struct vcpu_backend *backend;
    /* Does CPUID offer it? If not, `absent` says so in words. */
    bool (*offered)(void);
    const char *absent;
    /* Can this CPU do all that is needed? Logs `cpu.refused name= message=` naming the missing
     * control, MSR or firmware lock. Called on the boot core. */
    enum status (*probe)(void);
    /* Per core: VMXON or EFER.SVME. */
    enum status (*enable_core)(void);
    /* Format of the guest-physical tables, the largest page they may use, and the largest that may
     * be executable. */
    const struct page_table_format *(*memory_format)(unsigned *max_leaf_level,
                                                     unsigned *max_execute_level);
    /* Control structures for a vCPU; on the control core. */
    enum status (*create)(struct vcpu *vcpu);
    void (*destroy)(struct vcpu *vcpu);
    /* From now on each entry clears the CPU's buffers, and with `flush_cache` its first data cache:
     * for threads of one core with several owners. NULL: no CPU of this maker needs it. */
    void (*guard_entries)(bool flush_cache);
};

/* Tries VMX, then SVM; logs `cpu.backend name=`. STATUS_UNSUPPORTED when neither can be used. That
 * the CPU does not offer one of them is a refusal only if the other cannot be used either. */
MUST_CHECK enum status vcpu_backend_select(void);
/* NULL before a successful select. */
const struct vcpu_setup *vcpu_setup(void);
/* A guest's core begins here: switches the back-end on and goes over to guest_core(), for good. */
NO_RETURN void vcpu_start_core(struct cpu *cpu);
