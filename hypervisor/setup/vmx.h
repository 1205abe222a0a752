/* SPDX-License-Identifier: MIT */
/* What the files that bring VMX up share. */
#pragma once

#include "hypervisor/setup/vcpu.h"
#include "hypervisor/vcpu/vmx/vmx.h"

extern const struct vcpu_setup vmx_setup;

/* --- vmx_controls.c --- */

/* Reads the capability MSRs through `read`, and only those that exist (SDM 3D A.1 to A.10). */
void vmx_capabilities_read(struct vmx_capabilities *capabilities, uint64_t (*read)(uint32_t msr));
/* Chooses every control. STATUS_UNSUPPORTED, with `cpu.refused name=vmx control= msr= value=
 * message=` for each thing that is missing. */
MUST_CHECK enum status vmx_controls_choose(const struct vmx_capabilities *capabilities,
                                           struct vmx_controls *controls);
/* What this CPU says of the control number `index` of the table by which they are chosen; false
 * past its end. `name` is the manual's. */
struct vmx_control_fact {
    enum vmx_control_word word;
    uint32_t bit;
    const char *name, *need; /* need: "required", "wanted" or "off" */
    bool can_be_on, can_be_off;
};
bool vmx_control_fact(size_t index, const struct vmx_capabilities *capabilities,
                      struct vmx_control_fact *fact);
/* Judges IA32_FEATURE_CONTROL (SDM 3C 24.7). *write is what to write there, or 0 when nothing needs
 * to be written. STATUS_DENIED, logged, when firmware locked VMX off. */
MUST_CHECK enum status vmx_feature_control_check(uint64_t value, uint64_t *write);

/* --- vmx_errata.c --- */

/* Does a fetch through a large EPT page whose size changes meanwhile stop this core with a machine
 * check (CVE-2018-12207)? `signature` is CPUID 1 EAX, the other IA32_ARCH_CAPABILITIES, 0 where the
 * CPU has none. */
bool vmx_itlb_multihit(uint32_t signature, uint64_t arch_capabilities);

/* --- vmx_bitmaps.c --- */

/* An MSR exits unless policy lets guests have it directly; every port exits. */
void vmx_bitmaps_build(void);
