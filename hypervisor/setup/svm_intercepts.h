/* SPDX-License-Identifier: MIT */
/* What a VMCB can intercept (APM 2 appendix B, table B-1). */
#pragma once

#include "hypervisor/vcpu/svm/vmcb.h"

/* intercept_cr */
#define INTERCEPT_CR_READ(number)  (1u << (number))
#define INTERCEPT_CR_WRITE(number) (1u << (16 + (number)))
/* intercept_1 */
#define INTERCEPT_NMI      (1u << 1)
#define INTERCEPT_INIT     (1u << 3)
#define INTERCEPT_RDPMC    (1u << 15)
#define INTERCEPT_CPUID    (1u << 18)
#define INTERCEPT_RSM      (1u << 19)
#define INTERCEPT_INVD     (1u << 22)
#define INTERCEPT_INVLPGA  (1u << 26)
#define INTERCEPT_IOIO     (1u << 27)
#define INTERCEPT_MSR      (1u << 28)
#define INTERCEPT_TASK     (1u << 29)
#define INTERCEPT_SHUTDOWN (1u << 31)
/* intercept_2 */
#define INTERCEPT_VMMCALL (1u << 1)
#define INTERCEPT_VMLOAD  (1u << 2)
#define INTERCEPT_VMSAVE  (1u << 3)
#define INTERCEPT_STGI    (1u << 4)
#define INTERCEPT_CLGI    (1u << 5)
#define INTERCEPT_SKINIT  (1u << 6)
#define INTERCEPT_WBINVD  (1u << 9)
#define INTERCEPT_MONITOR (1u << 10)
#define INTERCEPT_MWAIT   (1u << 11)
#define INTERCEPT_XSETBV  (1u << 13)
#define INTERCEPT_RDPRU   (1u << 14)
