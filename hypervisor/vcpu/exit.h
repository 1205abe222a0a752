/* SPDX-License-Identifier: MIT */
/* An exit, whatever the back-end, and what its handler makes of it. */
#pragma once

#include "hypervisor/base/core.h"

enum exit_kind {
    EXIT_OTHER, /* nothing the back-end asked for: exit.reason. 0: what its table has no row for */
    EXIT_NMI,   /* the control core's kick */
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
    EXIT_KINDS
};
const char *exit_kind_name(enum exit_kind kind);

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
            uint8_t source; /* enum guest_register */
            bool write;
        } control;
        uint8_t sipi_vector;
    };
};

enum outcome {
    OUTCOME_RESUME,
    OUTCOME_ADVANCE, /* past the instruction that exited, then on */
    OUTCOME_WAIT,    /* INIT: out of guest mode until the start-up IPI */
    OUTCOME_STOP,
};
