/* SPDX-License-Identifier: MIT */
/* The virtual machine control block: APM 2 appendix B, exit codes appendix C. */
#pragma once

#include "hypervisor/base/core.h"

struct vmcb_segment {
    uint16_t selector;   /* 0 */
    uint16_t attributes; /* 2: descriptor bits 55:52 in 11:8, 47:40 in 7:0 */
    uint32_t limit;      /* 4 */
    uint64_t base;       /* 8 */
};
_Static_assert(sizeof(struct vmcb_segment) == 16, "APM 2 table B-2");

struct vmcb {
    /* control area */
    uint32_t intercept_cr;         /* 0x000: reads 15:0, writes 31:16 */
    uint32_t intercept_dr;         /* 0x004 */
    uint32_t intercept_exceptions; /* 0x008 */
    uint32_t intercept_1;          /* 0x00c */
    uint32_t intercept_2;          /* 0x010 */
    uint32_t intercept_3;          /* 0x014 */
    uint8_t reserved_018[0x28];    /* 0x018: pause filter at the end */
    uint64_t iopm_base;            /* 0x040 */
    uint64_t msrpm_base;           /* 0x048 */
    uint64_t tsc_offset;           /* 0x050 */
    uint32_t asid;                 /* 0x058 */
    uint32_t tlb_control;          /* 0x05c */
    uint64_t virtual_interrupt;    /* 0x060: V_INTR_MASKING is bit 24 */
    uint64_t interrupt_state;      /* 0x068: bit 0 is the interrupt shadow */
    uint64_t exit_code;            /* 0x070 */
    uint64_t exit_info_1;          /* 0x078 */
    uint64_t exit_info_2;          /* 0x080 */
    uint64_t exit_int_info;        /* 0x088 */
    uint64_t nested_control;       /* 0x090: bit 0 switches nested paging on */
    uint64_t avic_bar;             /* 0x098 */
    uint64_t ghcb;                 /* 0x0a0 */
    uint64_t event_injection;      /* 0x0a8 */
    uint64_t nested_cr3;           /* 0x0b0 */
    uint64_t lbr_control;          /* 0x0b8 */
    uint64_t clean_bits;           /* 0x0c0: 0 makes the CPU read everything */
    uint64_t next_rip;             /* 0x0c8: with NRIPS only */
    uint8_t reserved_0d0[0x330];   /* 0x0d0 */

    /* state save area */
    struct vmcb_segment es, cs, ss, ds; /* 0x400 */
    struct vmcb_segment fs, gs;         /* 0x440: VMLOAD, VMSAVE */
    struct vmcb_segment gdtr;           /* 0x460 */
    struct vmcb_segment ldtr;           /* 0x470: VMLOAD, VMSAVE */
    struct vmcb_segment idtr;           /* 0x480 */
    struct vmcb_segment tr;             /* 0x490: VMLOAD, VMSAVE */
    uint8_t reserved_4a0[0x2b];         /* 0x4a0 */
    uint8_t cpl;                        /* 0x4cb */
    uint8_t reserved_4cc[4];            /* 0x4cc */
    uint64_t efer;                      /* 0x4d0 */
    uint8_t reserved_4d8[0x70];         /* 0x4d8 */
    uint64_t cr4, cr3, cr0;             /* 0x548 */
    uint64_t dr7, dr6;                  /* 0x560 */
    uint64_t rflags, rip;               /* 0x570 */
    uint8_t reserved_580[0x58];         /* 0x580 */
    uint64_t rsp;                       /* 0x5d8 */
    uint8_t reserved_5e0[0x18];         /* 0x5e0 */
    uint64_t rax;                       /* 0x5f8 */
    struct {
        uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
        uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    } system_call;               /* 0x600: VMLOAD, VMSAVE */
    uint64_t cr2;                /* 0x640 */
    uint8_t reserved_648[0x20];  /* 0x648 */
    uint64_t guest_pat;          /* 0x668 */
    uint8_t reserved_670[0x990]; /* 0x670 */
};
_Static_assert(sizeof(struct vmcb) == PAGE_SIZE, "APM 2 15.5.1");
_Static_assert(offsetof(struct vmcb, iopm_base) == 0x040, "APM 2 table B-1");
_Static_assert(offsetof(struct vmcb, asid) == 0x058, "APM 2 table B-1");
_Static_assert(offsetof(struct vmcb, exit_code) == 0x070, "APM 2 table B-1");
_Static_assert(offsetof(struct vmcb, nested_control) == 0x090, "APM 2 table B-1");
_Static_assert(offsetof(struct vmcb, event_injection) == 0x0a8, "APM 2 table B-1");
_Static_assert(offsetof(struct vmcb, next_rip) == 0x0c8, "APM 2 table B-1");
_Static_assert(offsetof(struct vmcb, es) == 0x400, "APM 2 table B-2");
_Static_assert(offsetof(struct vmcb, tr) == 0x490, "APM 2 table B-2");
_Static_assert(offsetof(struct vmcb, cpl) == 0x4cb, "APM 2 table B-2");
_Static_assert(offsetof(struct vmcb, efer) == 0x4d0, "APM 2 table B-2");
_Static_assert(offsetof(struct vmcb, cr4) == 0x548, "APM 2 table B-2");
_Static_assert(offsetof(struct vmcb, rip) == 0x578, "APM 2 table B-2");
_Static_assert(offsetof(struct vmcb, rsp) == 0x5d8, "APM 2 table B-2");
_Static_assert(offsetof(struct vmcb, rax) == 0x5f8, "APM 2 table B-2");
_Static_assert(offsetof(struct vmcb, cr2) == 0x640, "APM 2 table B-2");
_Static_assert(offsetof(struct vmcb, guest_pat) == 0x668, "APM 2 table B-2");

#define INTERCEPT_IRET  (1u << 20) /* intercept_1; setup/svm_intercepts.h has the others */
#define INTERCEPT_VMRUN (1u << 0)  /* intercept_2 */

#define TLB_FLUSH_ALL    1u
#define NESTED_PAGING    BIT(0)
#define INTERRUPT_SHADOW BIT(0)

/* EVENTINJ and EXITINTINFO (APM 2 15.20) */
#define EVENT_VECTOR(event) ((uint8_t)(event))
#define EVENT_TYPE(event)   FIELD(event, 10, 8)
#define EVENT_INTERRUPT     0u
#define EVENT_NMI           2u
#define EVENT_EXCEPTION     3u
#define EVENT_SOFTWARE      4u
#define EVENT_HAS_ERROR     BIT(11)
#define EVENT_VALID         BIT(31)

enum svm_exit_code {
    SVM_EXIT_READ_CR4 = 0x04,
    SVM_EXIT_WRITE_CR4 = 0x14,
    SVM_EXIT_EXCEPTION = 0x40, /* + vector */
    SVM_EXIT_EXCEPTION_LAST = 0x5f,
    SVM_EXIT_NMI = 0x61,
    SVM_EXIT_INIT = 0x63,
    SVM_EXIT_RDPMC = 0x6f,
    SVM_EXIT_CPUID = 0x72,
    SVM_EXIT_RSM = 0x73,
    SVM_EXIT_IRET = 0x74,
    SVM_EXIT_INVD = 0x76,
    SVM_EXIT_INVLPGA = 0x7a,
    SVM_EXIT_IOIO = 0x7b,
    SVM_EXIT_MSR = 0x7c,
    SVM_EXIT_TASK_SWITCH = 0x7d,
    SVM_EXIT_SHUTDOWN = 0x7f,
    SVM_EXIT_VMRUN = 0x80,
    SVM_EXIT_VMMCALL = 0x81,
    SVM_EXIT_VMLOAD = 0x82, /* VMSAVE, STGI, CLGI follow */
    SVM_EXIT_SKINIT = 0x86,
    SVM_EXIT_WBINVD = 0x89,
    SVM_EXIT_MONITOR = 0x8a, /* MWAIT follows */
    SVM_EXIT_MWAIT_ARMED = 0x8c,
    SVM_EXIT_XSETBV = 0x8d,
    SVM_EXIT_RDPRU = 0x8e,
    SVM_EXIT_NPF = 0x400,
};
