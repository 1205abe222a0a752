/* SPDX-License-Identifier: MIT */
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/vcpu/vmx/vmcs.h"
#include "hypervisor/vcpu/vmx/vmx.h"
#include "hypervisor/x86/cpu.h"

#define PER_LINE 12

void vmx_dump(const struct vcpu *vcpu)
{
    /* Fields that every CPU has which is accepted. */
    static const struct {
        uint16_t first, last;
    } ranges[] = {
        {VMCS_GUEST_ES_SELECTOR, VMCS_GUEST_ES_SELECTOR + 14},
        {VMCS_HOST_ES_SELECTOR, VMCS_HOST_TR_SELECTOR},
        {VMCS_IO_BITMAP_A, VMCS_MSR_BITMAP},
        {VMCS_EPT_POINTER, VMCS_EPT_POINTER},
        {VMCS_LINK_POINTER, VMCS_GUEST_EFER},
        {VMCS_HOST_PAT, VMCS_HOST_EFER},
        {VMCS_PIN_CONTROLS, VMCS_ENTRY_INSTRUCTION_LENGTH},
        {VMCS_SECONDARY_CONTROLS, VMCS_SECONDARY_CONTROLS},
        {VMCS_GUEST_ES_LIMIT, VMCS_GUEST_ACTIVITY},
        {VMCS_HOST_SYSENTER_CS, VMCS_HOST_SYSENTER_CS},
        {VMCS_GUEST_CR0, VMCS_GUEST_PENDING_DEBUG},
        {VMCS_HOST_CR0, VMCS_HOST_RIP},
    };
    char text[PER_LINE * 26] = "";
    size_t used = 0;
    unsigned count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
        for (unsigned field = ranges[i].first; field <= ranges[i].last; field += 2) {
            used += format_text(text + used, sizeof text - used, "%s%#x=%#lx", used != 0 ? " " : "",
                                field, vmcs_read((enum vmcs_field)field));
            if (++count % PER_LINE == 0 || field == VMCS_HOST_RIP) {
                log_event("vmx.vmcs", "core=%u fields=\"%s\"", vcpu->cpu->index, text);
                used = 0;
            }
        }
}
