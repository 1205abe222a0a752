/* SPDX-License-Identifier: MIT */
#include "hypervisor/base/clock.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/setup/pci.h"

#define WAKE_TIME MILLISECONDS(10) /* PCIe 5.9 */

static enum status wake(struct pci_function *function)
{
    const uint16_t control = (uint16_t)(function->cap_pm + PM_CONTROL);
    pci_registers_save(function); /* without No_Soft_Reset the way to D0 is a reset */
    pci_update16(function->rid, control, PM_CONTROL_STATE, 0);
    clock_delay(WAKE_TIME);
    if ((pci_read16(function->rid, control) & PM_CONTROL_STATE) != 0)
        return STATUS_TIMEOUT;
    return pci_registers_restore(function) ? STATUS_OK : STATUS_DEVICE;
}

void pci_wake(void)
{
    struct pci_function *function;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++) {
        if (function->is_bridge || function->is_vf || function->cap_pm == 0)
            continue;
        unsigned state =
            pci_read16(function->rid, function->cap_pm + PM_CONTROL) & PM_CONTROL_STATE;
        if (state == 0)
            continue;
        enum status status = wake(function);
        log_event("pci.woken", "rid=%s state=D%u status=%s%s", rid_text(function->rid).text, state,
                  status_name(status),
                  status == STATUS_OK ? ""
                                      : " message=\"it does not return to D0 with its registers "
                                        "intact; no guest gets it\"");
        if (status == STATUS_OK)
            continue;
        /* Its BARs may lie anywhere: it must not answer in the place of others. */
        pci_command_set(function, 0, (uint16_t)(PCI_COMMAND_IO | PCI_COMMAND_MEMORY));
        (void)!pci_life_set(function, PCI_UNUSABLE);
    }
}
