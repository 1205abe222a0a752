/* SPDX-License-Identifier: MIT */
#include "tests/tools/vmx_view.h"

#include <string.h>

static const struct {
    uint32_t field;
    const char *name;
} names[] = {
    {VMCS_VPID, "virtual-processor identifier (VPID)"},
    {VMCS_HOST_ES_SELECTOR, "host ES selector"},
    {VMCS_HOST_CS_SELECTOR, "host CS selector"},
    {VMCS_HOST_SS_SELECTOR, "host SS selector"},
    {VMCS_HOST_DS_SELECTOR, "host DS selector"},
    {VMCS_HOST_FS_SELECTOR, "host FS selector"},
    {VMCS_HOST_GS_SELECTOR, "host GS selector"},
    {VMCS_HOST_TR_SELECTOR, "host TR selector"},
    {VMCS_IO_BITMAP_A, "address of I/O bitmap A"},
    {VMCS_IO_BITMAP_B, "address of I/O bitmap B"},
    {VMCS_MSR_BITMAP, "address of MSR bitmaps"},
    {VMCS_EPT_POINTER, "EPT pointer"},
    {VMCS_XSS_EXIT_BITMAP, "XSS-exiting bitmap"},
    {VMCS_ENCLS_EXIT_BITMAP, "ENCLS-exiting bitmap"},
    {VMCS_ENCLV_EXIT_BITMAP, "ENCLV-exiting bitmap"},
    {VMCS_GUEST_PHYSICAL_ADDRESS, "guest-physical address"},
    {VMCS_LINK_POINTER, "VMCS link pointer"},
    {VMCS_GUEST_DEBUGCTL, "guest IA32_DEBUGCTL"},
    {VMCS_GUEST_PAT, "guest IA32_PAT"},
    {VMCS_GUEST_EFER, "guest IA32_EFER"},
    {VMCS_GUEST_PDPTE0, "guest PDPTE0"},
    {VMCS_GUEST_PDPTE0 + 2, "guest PDPTE1"},
    {VMCS_GUEST_PDPTE0 + 4, "guest PDPTE2"},
    {VMCS_GUEST_PDPTE0 + 6, "guest PDPTE3"},
    {VMCS_HOST_PAT, "host IA32_PAT"},
    {VMCS_HOST_EFER, "host IA32_EFER"},
    {VMCS_PIN_CONTROLS, "pin-based controls"},
    {VMCS_PRIMARY_CONTROLS, "primary processor-based controls"},
    {VMCS_EXCEPTION_BITMAP, "exception bitmap"},
    {VMCS_PAGE_FAULT_MASK, "page-fault error-code mask"},
    {VMCS_PAGE_FAULT_MATCH, "page-fault error-code match"},
    {VMCS_CR3_TARGET_COUNT, "CR3-target count"},
    {VMCS_EXIT_CONTROLS, "VM-exit controls"},
    {VMCS_EXIT_MSR_STORE_COUNT, "VM-exit MSR-store count"},
    {VMCS_EXIT_MSR_LOAD_COUNT, "VM-exit MSR-load count"},
    {VMCS_ENTRY_CONTROLS, "VM-entry controls"},
    {VMCS_ENTRY_MSR_LOAD_COUNT, "VM-entry MSR-load count"},
    {VMCS_ENTRY_INTERRUPTION, "VM-entry interruption-information field"},
    {VMCS_ENTRY_EXCEPTION_ERROR, "VM-entry exception error code"},
    {VMCS_ENTRY_INSTRUCTION_LENGTH, "VM-entry instruction length"},
    {VMCS_SECONDARY_CONTROLS, "secondary processor-based controls"},
    {VMCS_INSTRUCTION_ERROR, "VM-instruction error"},
    {VMCS_EXIT_REASON, "exit reason"},
    {VMCS_EXIT_INTERRUPTION, "VM-exit interruption information"},
    {VMCS_EXIT_INTERRUPTION_ERROR, "VM-exit interruption error code"},
    {VMCS_IDT_VECTORING, "IDT-vectoring information"},
    {VMCS_IDT_VECTORING_ERROR, "IDT-vectoring error code"},
    {VMCS_EXIT_INSTRUCTION_LENGTH, "VM-exit instruction length"},
    {VMCS_GUEST_GDTR_LIMIT, "guest GDTR limit"},
    {VMCS_GUEST_IDTR_LIMIT, "guest IDTR limit"},
    {VMCS_GUEST_INTERRUPTIBILITY, "guest interruptibility state"},
    {VMCS_GUEST_ACTIVITY, "guest activity state"},
    {VMCS_GUEST_SYSENTER_CS, "guest IA32_SYSENTER_CS"},
    {VMCS_HOST_SYSENTER_CS, "host IA32_SYSENTER_CS"},
    {VMCS_CR0_MASK, "CR0 guest/host mask"},
    {VMCS_CR4_MASK, "CR4 guest/host mask"},
    {VMCS_CR0_SHADOW, "CR0 read shadow"},
    {VMCS_CR4_SHADOW, "CR4 read shadow"},
    {VMCS_EXIT_QUALIFICATION, "exit qualification"},
    {VMCS_GUEST_CR0, "guest CR0"},
    {VMCS_GUEST_CR3, "guest CR3"},
    {VMCS_GUEST_CR4, "guest CR4"},
    {VMCS_GUEST_GDTR_BASE, "guest GDTR base"},
    {VMCS_GUEST_IDTR_BASE, "guest IDTR base"},
    {VMCS_GUEST_DR7, "guest DR7"},
    {VMCS_GUEST_RSP, "guest RSP"},
    {VMCS_GUEST_RIP, "guest RIP"},
    {VMCS_GUEST_RFLAGS, "guest RFLAGS"},
    {VMCS_GUEST_PENDING_DEBUG, "guest pending debug exceptions"},
    {VMCS_GUEST_SYSENTER_ESP, "guest IA32_SYSENTER_ESP"},
    {VMCS_GUEST_SYSENTER_EIP, "guest IA32_SYSENTER_EIP"},
    {VMCS_HOST_CR0, "host CR0"},
    {VMCS_HOST_CR3, "host CR3"},
    {VMCS_HOST_CR4, "host CR4"},
    {VMCS_HOST_FS_BASE, "host FS base"},
    {VMCS_HOST_GS_BASE, "host GS base"},
    {VMCS_HOST_TR_BASE, "host TR base"},
    {VMCS_HOST_GDTR_BASE, "host GDTR base"},
    {VMCS_HOST_IDTR_BASE, "host IDTR base"},
    {VMCS_HOST_SYSENTER_ESP, "host IA32_SYSENTER_ESP"},
    {VMCS_HOST_SYSENTER_EIP, "host IA32_SYSENTER_EIP"},
    {VMCS_HOST_RSP, "host RSP"},
    {VMCS_HOST_RIP, "host RIP"},
};

#define KIND(part)                                                                                 \
    "guest ES " part, "guest CS " part, "guest SS " part, "guest DS " part, "guest FS " part,      \
        "guest GS " part, "guest LDTR " part, "guest TR " part

static const struct {
    uint32_t first;
    const char *name[8];
} segments[] = {
    {VMCS_GUEST_ES_SELECTOR, {KIND("selector")}},
    {VMCS_GUEST_ES_LIMIT, {KIND("limit")}},
    {VMCS_GUEST_ES_RIGHTS, {KIND("access rights")}},
    {VMCS_GUEST_ES_BASE, {KIND("base")}},
};

const char *vmcs_field_name(uint32_t field)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (names[i].field == field)
            return names[i].name;
    for (size_t i = 0; i < ARRAY_SIZE(segments); i++)
        if (field >= segments[i].first && field < segments[i].first + 16 && field % 2 == 0)
            return segments[i].name[(field - segments[i].first) / 2];
    return NULL;
}

static bool ends(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

bool vmcs_name_is_plural(const char *name)
{
    return ends(name, "controls") || ends(name, "exceptions");
}
