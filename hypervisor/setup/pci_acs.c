/* SPDX-License-Identifier: MIT */
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/pci/acs.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/setup/pci.h"

void acs_enable_all(void)
{
    const struct pci_function *function;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++) {
        if (function->cap_acs == 0)
            continue;
        acs_enable(function);
        log_event("acs.enabled", "rid=%s offered=%#x control=%#x", rid_text(function->rid).text,
                  pci_read16(function->rid, function->cap_acs + ACS_CAPABILITY),
                  pci_read16(function->rid, function->cap_acs + ACS_CONTROL));
    }
}
