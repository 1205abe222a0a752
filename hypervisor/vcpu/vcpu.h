/* SPDX-License-Identifier: MIT */
/*
 * The neutral vCPU. One vCPU owns one core. External interrupts are not intercepted: the guest
 * takes them directly, through its own IDT and the core's own local APIC. An NMI makes the core
 * leave guest mode.
 */
#pragma once

#include "hypervisor/base/log.h"
#include "hypervisor/memory/page_table.h"
#include "hypervisor/vcpu/exit.h"
#include "hypervisor/vcpu/state.h"

struct cpu;
struct guest;

#define VCPU_RECENT 256 /* what the index of a byte reaches */

enum vcpu_activity { VCPU_RUNNING, VCPU_WAIT_FOR_SIPI };

struct vcpu {
    uint64_t registers[GUEST_REGISTERS]; /* offset 0: assembly */
    uint64_t cr2;                        /* VMX does not switch it */
    struct vcpu_state start;             /* where vCPU 0 begins; the others wait for SIPI first */
    struct guest *guest;
    struct cpu *cpu;
    uint32_t index;                  /* in its guest */
    uint32_t apic_id;                /* = the core's own */
    const struct page_table *memory; /* EPT or NPT */
    uint64_t xcr0;
    volatile uint32_t activity;     /* enum vcpu_activity */
    volatile uint32_t sipi_vector;  /* where it begins when activity leaves VCPU_WAIT_FOR_SIPI */
    volatile uint32_t init_request; /* vcpu_interrupt() to the vCPU's own core, with a kick */
    volatile uint32_t nmi_request;
    volatile uint32_t stop_request; /* set by the control core before it kicks */
    volatile uint32_t hold_request; /* likewise; taken back ends the hold */
    volatile uint32_t in_guest;     /* 0: not in guest mode, and not before hold_request is seen */
    void *control_page;             /* VMCS or VMCB */
    struct {                        /* what else SVM keeps */
        void *host;                 /* a page: VMSAVE's image of the host */
        uint64_t host_pat;          /* guests' is in the core where the CPU has no PAT for them */
        uint64_t host_mce;          /* CR4.MCE: the one that the guest runs with */
        uint64_t guest_mce;         /* as the guest sees it */
        uint64_t step_rflags;       /* before the step over IRET (nmi.c) */
        uint64_t step_dr6;
        uint32_t invalid_runs; /* exits with VMEXIT_INVALID in a row */
    } svm;
    /* Counted by the dispatcher; the CPU's own exits. */
    uint64_t exits[EXIT_KINDS];
    uint64_t exits_seen[EXIT_KINDS + 3]; /* by the prompt (monitor/commands_exits.c) */
    uint8_t recent_next;                 /* the latest kinds, for the report of a crash */
    uint8_t recent[VCPU_RECENT];
    uint64_t commands_dropped; /* interrupt commands that were not the guest's to send */
    uint64_t exception_run;    /* exceptions in a row with no other exit between them */
    uint64_t exceptions_after; /* exits of other kinds before that row */
    uint64_t retry_rip;        /* vcpu_retry(): where, and how often in a row */
    uint32_t retries;
    uint8_t retry_exit;    /* recent_next at the last one */
    struct vcpu_exit exit; /* the one being handled */
};
_Static_assert(offsetof(struct vcpu, registers) == 0, "vmx/entry.asm, svm/entry.asm");

/* Runs the vCPU on the current core until it stops or is stopped; then the core's local APIC is
 * quiesced and its registers hold nothing of the guest. */
void vcpu_run(struct vcpu *vcpu);

/* Logs guest.exits: how many there were, and the kinds of the latest. */
void vcpu_log_exits(const struct vcpu *vcpu, log_writer *log);
