/* SPDX-License-Identifier: MIT */
/* A VMCS and what the CPU says of VMX, as a log or a model has them, and the rules by which VM
 * entry judges them before it looks at the guest. */
#pragma once

#include "hypervisor/vcpu/vmx/vmx.h"
#include "tests/tools/vmx_check.h"

#define VMCS_FIELDS 0x8000

struct vmx_view {
    uint64_t value[VMCS_FIELDS];
    bool known[VMCS_FIELDS]; /* there is a value: it was logged, or written */
    bool from_log;           /* what is not known was not logged; else it was never written */
    bool complete;           /* the last field that vmx_dump() logs has been read */
    struct vmx_allowed allowed[VMX_CONTROL_WORDS]; /* `may` 0: not known */
    uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
    unsigned physical_bits;
};

/* Nothing is known yet, and no CPU forbids anything. */
void vmx_view_clear(struct vmx_view *view);
/* Takes what a line of the log says of the CPU (vmx.fixed, vmx.allowed). False: nothing. */
bool vmx_view_read_cpu(struct vmx_view *view, const char *line);
/* Takes the fields of a line vmx.vmcs, and its core (0 if it names none). False: it is none. */
bool vmx_view_read_fields(struct vmx_view *view, const char *line);
unsigned vmx_line_core(const char *line);
/* The guest area, for vmx_guest_state_fault(). */
struct vmx_guest_view vmx_view_guest(const struct vmx_view *view);

/* The manual's name of a field (SDM 3D B); NULL when nothing here uses it. */
const char *vmcs_field_name(uint32_t field);

/* "is" or "are", "was" or "were", after that name. */
bool vmcs_name_is_plural(const char *name);

/* The first broken rule of SDM 3C 27.2.1 (control fields), then 27.2.2 to 27.2.4 (host state), in
 * words that name the field, into `text`; false when none is. What is not logged is not judged. */
bool vmx_controls_fault(const struct vmx_view *view, char *text, size_t size);
bool vmx_host_state_fault(const struct vmx_view *view, char *text, size_t size);
/* No rule of the manual is broken, and yet the first exit will not arrive. */
bool vmx_host_state_useless(const struct vmx_view *view, char *text, size_t size);
