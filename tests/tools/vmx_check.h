/* SPDX-License-Identifier: MIT */
/* Why a VM entry failed with reason 33, from what the hypervisor logged. */
#pragma once

#include "hypervisor/vcpu/state.h"

/* Guest state as the VMCS holds it: state.cr0 and state.cr4 are the real values, not the shadows.
 */
struct vmx_guest_view {
    struct vcpu_state state;
    uint32_t entry_controls;
    uint32_t entry_interruption;
    uint32_t interruptibility;
    uint32_t activity;
    uint64_t pending_debug;
    uint64_t link_pointer;
    uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
    unsigned physical_bits;
};

/* The first rule of SDM 3C 27.3.1 that the state breaks, in words; NULL when none of those that are
 * checked here is broken. Assumes unrestricted guest. */
const char *vmx_guest_state_fault(const struct vmx_guest_view *view);
