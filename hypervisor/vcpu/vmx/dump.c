/* SPDX-License-Identifier: MIT */
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/vcpu/vmx/vmcs.h"
#include "hypervisor/vcpu/vmx/vmx.h"

#define PER_LINE 12

void vmx_dump(void)
{
    static const struct {
        uint16_t first, last;
    } ranges[] = {
        {VMCS_GUEST_ES_SELECTOR, VMCS_GUEST_ES_SELECTOR + 14},
        {VMCS_LINK_POINTER, VMCS_LINK_POINTER},
        {VMCS_GUEST_EFER, VMCS_GUEST_EFER},
        {VMCS_ENTRY_CONTROLS, VMCS_ENTRY_INTERRUPTION},
        {VMCS_GUEST_ES_LIMIT, VMCS_GUEST_ACTIVITY},
        {VMCS_GUEST_CR0, VMCS_GUEST_PENDING_DEBUG},
    };
    char text[PER_LINE * 26] = "";
    size_t used = 0;
    unsigned count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
        for (unsigned field = ranges[i].first; field <= ranges[i].last; field += 2) {
            used += format_text(text + used, sizeof text - used, "%s%#x=%#lx", used != 0 ? " " : "",
                                field, vmcs_read((enum vmcs_field)field));
            if (++count % PER_LINE == 0 ||
                (i + 1 == ARRAY_SIZE(ranges) && field == ranges[i].last)) {
                log_event("vmx.vmcs", "fields=\"%s\"", text);
                used = 0;
            }
        }
    log_event("vmx.fixed", "cr0=%#lx:%#lx cr4=%#lx:%#lx physical_bits=%u",
              vmx_capabilities.cr0_fixed0, vmx_capabilities.cr0_fixed1, vmx_capabilities.cr4_fixed0,
              vmx_capabilities.cr4_fixed1, vmx_capabilities.physical_bits);
}
