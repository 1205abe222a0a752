/* SPDX-License-Identifier: MIT */
/*
 * A core with VMX, for the code that switches VMX on and writes a VMCS. Control registers, MSRs and
 * VMXON are the instructions themselves: in a program of this machine they fault, and the model
 * carries them out. VMREAD, VMWRITE, VMCLEAR, VMPTRLD, INVEPT and INVVPID are what vmcs.h declares.
 * What a CPU would refuse or raise an exception for is a violation, in the manual's words.
 */
#pragma once

#include "tests/tools/vmx_view.h"

#define VMX_CORE_MSRS 17 /* capability MSRs, from IA32_VMX_BASIC on */

struct vmx_core {
    uint64_t cr0, cr3, cr4;
    uint64_t feature_control, fs_base, gs_base, kernel_gs_base, pat, efer;
    uint64_t capability[VMX_CORE_MSRS];
    bool refuse_vmxon; /* VMXON fails for a reason of its own */
    uint64_t vmxon;    /* the region; 0: not in VMX operation */
    uint64_t current;  /* the current VMCS; 0: none */
    unsigned invept_all, invept_single, invvpid_all, invvpid_single;
    uint64_t core_register[2]; /* enum core_register */
    struct vmx_view vmcs;      /* of the only VMCS that there is */
};
extern struct vmx_core vmx_core;

/* As firmware leaves a core; instructions trap from now on. */
void vmx_core_reset(const uint64_t *capability);
/* In VMX operation, as after VMXON, with a VMCS that nobody has written. */
void vmx_core_in_operation(void);
uint64_t vmx_core_msr(uint32_t msr);
/* The first violation, or NULL. */
const char *vmx_core_violation(void);
/* What VMLAUNCH or VMRESUME would say now; false: the guest would run. */
bool vmx_core_entry_fails(char *text, size_t size);
