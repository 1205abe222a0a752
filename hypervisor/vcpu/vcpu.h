/*
 * The neutral vCPU. VMX is the measure of this interface; SVM stands behind the same one. A
 * back-end turns every exit into a struct vcpu_exit, so that policy is written once (exits.c).
 *
 * One vCPU owns one core. External interrupts are not intercepted: the guest takes them directly,
 * through its own IDT and the core's own local APIC. An NMI makes the core leave guest mode.
 */
#pragma once

#include "hypervisor/base/core.h"
#include "hypervisor/memory/page_table.h"
#include "hypervisor/memory/pages.h"

struct cpu;
struct guest;

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

enum exit_kind {
    EXIT_NMI, /* the control core's kick */
    EXIT_CPUID,
    EXIT_MSR_READ,
    EXIT_MSR_WRITE,
    EXIT_IO,
    EXIT_MEMORY, /* EPT violation or nested page fault: exit.memory */
    EXIT_HYPERCALL,
    EXIT_EXCEPTION, /* intercepted #DB, #AC, #MC: exit.exception */
    EXIT_TRIPLE_FAULT,
    EXIT_INIT,
    EXIT_SIPI, /* exit.sipi_vector */
    EXIT_HLT,
    EXIT_XSETBV,
    EXIT_INVD,             /* and WBINVD where it exits */
    EXIT_CONTROL_REGISTER, /* exit.control */
    EXIT_UNDEFINED, /* an instruction that does not exist for guests (VMX, SVM, MONITOR..): #UD */
    EXIT_TASK_SWITCH,
    EXIT_ENTRY_FAILURE, /* the guest's state was refused by the CPU: exit.detail says why */
    EXIT_OTHER,         /* nothing this back-end asked for: exit.reason */
    EXIT_KINDS
};
const char *exit_kind_name(enum exit_kind kind);

#define CONTROL_SOURCE_IN_CODE 0xff /* the CPU does not report it: decode it */

struct vcpu_exit {
    enum exit_kind kind;
    uint64_t reason;        /* raw: VMX exit reason or SVM exit code */
    uint64_t qualification; /* raw: exit qualification or EXITINFO1; for some kinds only */
    const char *detail;     /* EXIT_ENTRY_FAILURE only: the failing field in words, or NULL */
    union {
        struct {
            uint64_t address;          /* guest-physical */
            bool read, write, execute; /* none: not an instruction's own access (the CPU walked
                                          page tables or delivered an event there) */
            bool misconfigured;        /* EPT misconfiguration: our own tables are wrong */
        } memory;
        struct {
            uint16_t port;
            uint8_t width; /* 1, 2, 4 */
            bool input, string, repeat;
        } io;
        struct {
            uint8_t vector;
            bool has_error;
            uint32_t error;
        } exception;
        struct {
            uint8_t number; /* CR0, CR3, CR4, CR8 */
            uint8_t source; /* enum guest_register, or CONTROL_SOURCE_IN_CODE */
            bool write;
        } control;
        uint8_t sipi_vector;
    };
};

#define VCPU_RECENT 256 /* what the index of a byte reaches */

enum vcpu_activity { VCPU_RUNNING, VCPU_WAIT_FOR_SIPI };

struct vcpu {
    uint64_t registers[GUEST_REGISTERS]; /* offset 0: assembly */
    uint64_t cr2;                        /* offset 128: VMX does not switch it */
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
    void *backend[3];               /* the back-end's own pages */
    uint64_t backend_state[16];
    /* Counted by the dispatcher; the CPU's own exits. */
    uint64_t exits[EXIT_KINDS];
    uint8_t recent_next; /* the latest kinds, for the report of a crash */
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
_Static_assert(offsetof(struct vcpu, cr2) == 128, "vmx/entry.asm, svm/entry.asm");

enum outcome {
    OUTCOME_RESUME,
    OUTCOME_ADVANCE, /* past the instruction that exited, then on */
    OUTCOME_WAIT,    /* INIT: out of guest mode until the start-up IPI */
    OUTCOME_STOP,
};

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

/* What the guest supplies: everything that is not CPU policy. Called on the guest's core. */
enum exit_action { EXIT_RESUME, EXIT_STOP };
struct vcpu_events {
    /* Access to guest-physical memory that is not RAM: `value` is read or written. False: nothing
     * is there for this guest (it is stopped with the address as the reason). */
    bool (*mmio)(struct vcpu *vcpu, uint64_t address, unsigned width, bool write, uint64_t *value);
    /* False: the port does not exist for the guest: reads give all ones, writes are dropped. */
    bool (*io)(struct vcpu *vcpu, uint16_t port, unsigned width, bool write, uint32_t *value);
    enum exit_action (*hypercall)(struct vcpu *vcpu);
    /* The guest runs code in RAM that its tables do not let it execute (memory_format() named a
     * smaller page for code): lets it from now on. False: there is no such RAM. */
    bool (*execute)(struct vcpu *vcpu, uint64_t address);
    /* An interrupt command, already filtered by kind (fixed, NMI, INIT, start-up): passes it with
     * vcpu_interrupt() to each vCPU of the same guest that icr_addresses(). False: none is
     * addressed; dropped and counted. */
    bool (*ipi)(struct vcpu *vcpu, uint64_t icr);
    /* Copies guest-physical memory (of this guest only) for the instruction decoder. */
    bool (*read_memory)(struct vcpu *vcpu, uint64_t address, void *bytes, size_t size);
    /* The vCPU cannot go on; `reason` is a short word for guest.stopped, `detail` free text. Not
     * called when a hypercall returned EXIT_STOP or a stop was requested. */
    void (*stopped)(struct vcpu *vcpu, const char *reason, const char *detail);
};
void vcpu_set_events(const struct vcpu_events *events);
const struct vcpu_events *vcpu_events(void);

/* Runs the vCPU on the current core until it stops or is stopped; then the core's local APIC is
 * quiesced and its registers hold nothing of the guest. */
void vcpu_run(struct vcpu *vcpu);

/* Does a command written to the x2APIC's ICR by the core `sender` reach the core `apic_id`?
 * Physical and logical destinations, broadcast, shorthands (SDM 3A 11.12.9, 11.12.10). */
bool icr_addresses(uint64_t icr, uint32_t sender, uint32_t apic_id);
/* Carries out a command at one vCPU that it addresses: fixed, NMI, INIT or start-up. Any core. */
void vcpu_interrupt(struct vcpu *target, uint64_t icr);

/* Start states. PVH: 32-bit protected mode without paging, EBX = start_info (Xen PVH boot ABI). */
void vcpu_state_pvh(struct vcpu_state *state, uint32_t entry);
/* Linux' 64-bit entry: identity-mapped long mode, RSI = boot parameters (the caller's); the GDT has
 * a code segment at 0x10 and a data segment at 0x18. */
void vcpu_state_linux(struct vcpu_state *state, uint32_t entry, uint64_t page_tables, uint64_t gdt,
                      uint32_t gdt_limit);
void vcpu_state_sipi(struct vcpu_state *state, uint8_t vector);
