/* SPDX-License-Identifier: MIT */
/* Interrupt remapping (VT-d 5): a function's message is an interrupt only with an entry for it. */
#pragma once

#include "hypervisor/pci/function.h"

struct iommu_msi {
    uint32_t address_low; /* remappable format */
    uint32_t address_high;
    uint32_t data;
    uint16_t index; /* of the IRTE in the unit's table */
};
/* One entry for one message of one function: delivers `vector` to `apic_id`, verified against the
 * function's RID. Present only once complete. STATUS_FULL, STATUS_UNSUPPORTED (no remapping). */
MUST_CHECK enum status iommu_interrupt_allocate(const struct pci_function *function,
                                                uint32_t apic_id, uint8_t vector,
                                                struct iommu_msi *msi);
MUST_CHECK enum status iommu_interrupt_free(const struct pci_function *function, uint16_t index);
/* Frees all of a function's entries. */
void iommu_interrupts_release(const struct pci_function *function);
