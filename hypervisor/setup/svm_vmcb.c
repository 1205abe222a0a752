/* SPDX-License-Identifier: MIT */
/* What a guest's VMCB intercepts. */
#include "hypervisor/setup/svm.h"

#include "hypervisor/base/string.h"
#include "hypervisor/setup/svm_intercepts.h"
#include "hypervisor/x86/registers.h"

#define ASID 1u /* the same on every core: a core runs one vCPU, and ASIDs are per core */

void svm_vmcb_init(struct vmcb *vmcb, uint64_t msrpm, uint64_t iopm, uint64_t nested_cr3)
{
    memset(vmcb, 0, sizeof *vmcb);
    /* SVM has no read shadow, and the CR4 that the guest sees is not the one it runs with. */
    vmcb->intercept_cr = INTERCEPT_CR_READ(4) | INTERCEPT_CR_WRITE(4);
    /* Not INTR: interrupts are the guest's own. Not HLT: it sleeps on its core. */
    vmcb->intercept_1 = INTERCEPT_NMI | INTERCEPT_INIT | INTERCEPT_RDPMC | INTERCEPT_CPUID |
                        INTERCEPT_RSM | INTERCEPT_INVD | INTERCEPT_INVLPGA | INTERCEPT_IOIO |
                        INTERCEPT_MSR | INTERCEPT_TASK | INTERCEPT_SHUTDOWN;
    vmcb->intercept_2 = INTERCEPT_VMRUN | INTERCEPT_VMMCALL | INTERCEPT_VMLOAD | INTERCEPT_VMSAVE |
                        INTERCEPT_STGI | INTERCEPT_CLGI | INTERCEPT_SKINIT | INTERCEPT_WBINVD |
                        INTERCEPT_MONITOR | INTERCEPT_MWAIT | INTERCEPT_XSETBV | INTERCEPT_RDPRU;
    vmcb->msrpm_base = msrpm;
    vmcb->iopm_base = iopm;
    vmcb->asid = ASID;
    vmcb->nested_control = NESTED_PAGING;
    vmcb->nested_cr3 = nested_cr3;
    vmcb->efer = EFER_SVME;
    svm_vmcb_restart(vmcb);
}
