/* SPDX-License-Identifier: MIT */
#include "tests/tools/vmx_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The last field that vmx_dump() logs. */
#define LAST_FIELD VMCS_HOST_RIP

void vmx_view_clear(struct vmx_view *view)
{
    memset(view, 0, sizeof *view);
    view->cr0_fixed1 = view->cr4_fixed1 = ~UINT64_C(0);
    view->physical_bits = 52; /* the most that there can be */
}

unsigned vmx_line_core(const char *line)
{
    const char *at = strstr(line, "vmx.vmcs core=");
    return at != NULL ? (unsigned)strtoul(at + strlen("vmx.vmcs core="), NULL, 10) : 0;
}

bool vmx_view_read_fields(struct vmx_view *view, const char *line)
{
    const char *at = strstr(line, "vmx.vmcs ");
    at = at != NULL ? strstr(at, "fields=\"") : NULL;
    if (at == NULL)
        return false;
    at += strlen("fields=\"");
    view->from_log = true;
    while (*at != '\0' && *at != '"') {
        char *end;
        unsigned long long field = strtoull(at, &end, 0);
        if (end == at || *end != '=' || field >= VMCS_FIELDS)
            return false;
        at = end + 1;
        unsigned long long value = strtoull(at, &end, 0);
        if (end == at)
            return false;
        view->value[field] = value;
        view->known[field] = true;
        view->complete |= field == LAST_FIELD;
        at = *end == ' ' ? end + 1 : end;
    }
    return true;
}

static bool read_fixed(struct vmx_view *view, const char *at)
{
    unsigned long long cr0_0, cr0_1, cr4_0, cr4_1;
    unsigned bits;
    if (sscanf(at, "vmx.fixed cr0=%llx:%llx cr4=%llx:%llx physical_bits=%u", &cr0_0, &cr0_1, &cr4_0,
               &cr4_1, &bits) != 5)
        return false;
    view->cr0_fixed0 = cr0_0;
    view->cr0_fixed1 = cr0_1;
    view->cr4_fixed0 = cr4_0;
    view->cr4_fixed1 = cr4_1;
    view->physical_bits = bits;
    return true;
}

static bool read_allowed(struct vmx_view *view, const char *at)
{
    static const char *const names[VMX_CONTROL_WORDS] = {
        [VMX_PIN] = " pin=",   [VMX_PRIMARY] = " primary=", [VMX_SECONDARY] = " secondary=",
        [VMX_EXIT] = " exit=", [VMX_ENTRY] = " entry=",
    };
    for (size_t i = 0; i < VMX_CONTROL_WORDS; i++) {
        const char *found = strstr(at, names[i]);
        if (found == NULL || sscanf(found + strlen(names[i]), "%x:%x:%x", &view->allowed[i].msr,
                                    &view->allowed[i].must, &view->allowed[i].may) != 3)
            return false;
    }
    return true;
}

bool vmx_view_read_cpu(struct vmx_view *view, const char *line)
{
    const char *at = strstr(line, "vmx.fixed ");
    if (at != NULL)
        return read_fixed(view, at);
    at = strstr(line, "vmx.allowed ");
    return at != NULL && read_allowed(view, at);
}

/* In the order of the VMCS field encodings. */
static const size_t segment_offsets[] = {
    offsetof(struct vcpu_state, es),   offsetof(struct vcpu_state, cs),
    offsetof(struct vcpu_state, ss),   offsetof(struct vcpu_state, ds),
    offsetof(struct vcpu_state, fs),   offsetof(struct vcpu_state, gs),
    offsetof(struct vcpu_state, ldtr), offsetof(struct vcpu_state, tr),
};

struct vmx_guest_view vmx_view_guest(const struct vmx_view *view)
{
    const uint64_t *v = view->value;
    struct vmx_guest_view guest = {
        .state = {.rip = v[VMCS_GUEST_RIP],
                  .rflags = v[VMCS_GUEST_RFLAGS],
                  .rsp = v[VMCS_GUEST_RSP],
                  .cr0 = v[VMCS_GUEST_CR0],
                  .cr3 = v[VMCS_GUEST_CR3],
                  .cr4 = v[VMCS_GUEST_CR4],
                  .efer = v[VMCS_GUEST_EFER],
                  .dr7 = v[VMCS_GUEST_DR7],
                  .gdtr_base = v[VMCS_GUEST_GDTR_BASE],
                  .idtr_base = v[VMCS_GUEST_IDTR_BASE],
                  .gdtr_limit = (uint32_t)v[VMCS_GUEST_GDTR_LIMIT],
                  .idtr_limit = (uint32_t)v[VMCS_GUEST_IDTR_LIMIT]},
        .entry_controls = (uint32_t)v[VMCS_ENTRY_CONTROLS],
        .entry_interruption = (uint32_t)v[VMCS_ENTRY_INTERRUPTION],
        .interruptibility = (uint32_t)v[VMCS_GUEST_INTERRUPTIBILITY],
        .activity = (uint32_t)v[VMCS_GUEST_ACTIVITY],
        .pending_debug = v[VMCS_GUEST_PENDING_DEBUG],
        .link_pointer = v[VMCS_LINK_POINTER],
        .cr0_fixed0 = view->cr0_fixed0,
        .cr0_fixed1 = view->cr0_fixed1,
        .cr4_fixed0 = view->cr4_fixed0,
        .cr4_fixed1 = view->cr4_fixed1,
        .physical_bits = view->physical_bits,
    };
    for (unsigned i = 0; i < ARRAY_SIZE(segment_offsets); i++) {
        uint64_t rights = v[VMCS_GUEST_ES_RIGHTS + 2 * i];
        *(struct vcpu_segment *)((uint8_t *)&guest.state + segment_offsets[i]) =
            (struct vcpu_segment){
                .selector = (uint16_t)v[VMCS_GUEST_ES_SELECTOR + 2 * i],
                .attributes = (uint16_t)rights,
                .unusable = (rights & VMCS_SEGMENT_UNUSABLE) != 0,
                .limit = (uint32_t)v[VMCS_GUEST_ES_LIMIT + 2 * i],
                .base = v[VMCS_GUEST_ES_BASE + 2 * i],
            };
    }
    return guest;
}
