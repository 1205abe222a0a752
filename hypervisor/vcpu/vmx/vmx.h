/* SPDX-License-Identifier: MIT */
/* What the files of the VMX back-end share. Others use vcpu.h. */
#pragma once

#include "hypervisor/vcpu/backend.h"
#include "hypervisor/vcpu/vmx/registers.h"
#include "hypervisor/x86/cpu.h"

/* --- shared.c: what boot found out and built, the same for all vCPUs --- */

enum vmx_control_word {
    VMX_PIN,
    VMX_PRIMARY,
    VMX_SECONDARY,
    VMX_EXIT,
    VMX_ENTRY,
    VMX_CONTROL_WORDS
};

/* One control vector's capability MSR: bits of `must` are forced to 1, bits outside `may` to 0. */
struct vmx_allowed {
    uint32_t msr;
    uint32_t must;
    uint32_t may;
};

/* The capability MSRs, read once. What the CPU does not have reads as 0. */
struct vmx_capabilities {
    uint64_t basic;
    uint64_t misc;
    uint64_t ept_vpid;
    uint64_t cr0_fixed0, cr0_fixed1;
    uint64_t cr4_fixed0, cr4_fixed1;
    struct vmx_allowed allowed[VMX_CONTROL_WORDS];
};

struct vmx_controls {
    uint32_t word[VMX_CONTROL_WORDS];
};

#define VMX_VPID 1 /* the same on every core: a core runs one vCPU, and VPIDs are per core */

extern struct vmx_capabilities vmx_capabilities;
extern struct vmx_controls vmx_controls;
extern uint8_t vmx_msr_bitmap[PAGE_SIZE];    /* struct vmx_msr_bitmap */
extern uint8_t vmx_io_bitmaps[2][PAGE_SIZE]; /* ports 0..0x7fff, 0x8000..0xffff */

static inline bool vmx_has(enum vmx_control_word word, uint64_t bit)
{
    return (vmx_controls.word[word] & bit) != 0;
}

/* --- vcpu.c, state.c, exit.c, entry.asm --- */

/* Two ways into a guest and back: `vmx`, and `vmx_guarded` for cores whose threads have several
 * owners. That one clears at each entry what the CPU may leak to whoever shares the core with the
 * guest: its buffers (VERW), and with vmx_entry_flush the first data cache. */
struct vmx_way {
    /* Runs the guest from exit to exit until a handler ends that. */
    enum outcome (*run)(struct vcpu *vcpu);
    const uint8_t *exit_point; /* where exits arrive: HOST_RIP */
};
extern const struct vmx_way vmx_plain, vmx_guarded, *vmx_way;
extern uint8_t vmx_entry_flush;          /* 0 or 1; assembly */
extern const uint16_t vmx_data_selector; /* a writable data segment */
enum outcome vmx_run(struct vcpu *vcpu);
enum outcome vmx_guarded_run(struct vcpu *vcpu);
/* What they call, with the guest's registers in vcpu->registers: after an exit; when an NMI
 * came before an entry; when VMLAUNCH or VMRESUME itself failed (VMfail, SDM 3C 31.2).
 * OUTCOME_RESUME: on into the guest. */
enum outcome vmx_exited(struct vcpu *vcpu);
enum outcome vmx_kicked(struct vcpu *vcpu);
enum outcome vmx_entry_failed(struct vcpu *vcpu);
/* Ends the NMI blocking that an exit caused by an NMI leaves behind. */
void vmx_unblock_nmi(void);
/* The instructions between the last look for an NMI and the entry, and where one found there
 * continues (nmi_windows[]). */
extern const uint8_t vmx_launch_window[], vmx_launch_window_end[], vmx_launch_kicked[];
extern const uint8_t vmx_resume_window[], vmx_resume_window_end[], vmx_resume_kicked[];
extern const uint8_t vmx_guarded_launch_window[], vmx_guarded_launch_window_end[];
extern const uint8_t vmx_guarded_launch_kicked[], vmx_guarded_resume_window[];
extern const uint8_t vmx_guarded_resume_window_end[], vmx_guarded_resume_kicked[];
extern const uint8_t vmx_exit_point[], vmx_guarded_exit_point[];

void vmx_read_state(struct vcpu *vcpu, struct vcpu_state *state);
void vmx_read_mode(struct vcpu *vcpu, struct vcpu_state *state);
void vmx_write_state(struct vcpu *vcpu, const struct vcpu_state *state);
uint64_t vmx_efer(struct vcpu *vcpu);
bool vmx_osxsave(struct vcpu *vcpu);
unsigned vmx_cpl(struct vcpu *vcpu);
void vmx_set_rip(struct vcpu *vcpu, uint64_t rip);
void vmx_inject(struct vcpu *vcpu, uint8_t vector, bool has_error, uint32_t error);

/* Bits of CR0 and CR4 that the guest does not own: its writes to them exit (SDM 3C 25.6.6). */
uint64_t vmx_cr0_mask(void);
uint64_t vmx_cr4_mask(void);

/* --- dump.c --- */
/* Logs `vmx.vmcs core= fields="ENCODING=VALUE ..."`, what decides about an entry with the current
 * VMCS: build/entry explains it, with what boot has logged of the CPU (vmx.fixed, vmx.allowed). */
void vmx_dump(const struct vcpu *vcpu);
