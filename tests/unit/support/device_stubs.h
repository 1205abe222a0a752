/* SPDX-License-Identifier: MIT */
/* what assignment.c stands on beside the audit's fixture; nothing is reset. Included behind that.
 */
#pragma once

#include "tests/unit/support/audit_fixture.h"

enum status frames_transfer(uint64_t base, uint64_t size, owner_t from, owner_t to)
{
    if (!frames_owned_by(base, size, from))
        return STATUS_DENIED;
    owns(base, size, to);
    return STATUS_OK;
}

enum status pci_function_reset(struct pci_function *function)
{
    return STATUS_DEVICE;
}

enum status pci_reset_start(struct pci_function *function, struct pci_reset *reset)
{
    return STATUS_OK;
}

enum status pci_reset_poll(struct pci_function *function, struct pci_reset *reset)
{
    return STATUS_OK;
}

void pci_command_set(const struct pci_function *function, uint16_t set, uint16_t clear)
{
}

void view_reset_config(struct assignment *device)
{
}

void view_reset_interrupts(struct assignment *device)
{
    iommu_interrupts_release(device->function);
}

struct pci_function *pf_function_at(uint32_t index)
{
    return NULL;
}

const char *pf_name(const struct pci_function *function)
{
    return "";
}
