/* SPDX-License-Identifier: MIT */
/* What hardware structures say, for people at the prompt. */
#pragma once

#include "hypervisor/assign/guest.h"
#include "hypervisor/guest/faults.h"
#include "hypervisor/iommu/report.h"

const char *decode_on_off(uint64_t value, unsigned bit);
/* Prints text of any length, up to a '%' if there is one; returns what is behind that. */
const char *decode_print(const char *text);
/* A line of `faults`. */
void decode_fault(const struct fault_record *record);
/* Guests' domains, those of PFs with a driver, and firmware's. */
void decode_each_domain(void (*visit)(const struct iommu_domain *domain));
/* Whether the function may send: the live bit of its command register. */
bool decode_masters(const struct pci_function *function);
/* The live context entry of a function; false where it has none, or no unit that is used. */
bool decode_context(const struct pci_function *function, struct iommu_context_report *context);
/* The way of a requester's access, from the root entry to the leaf, and where it ends. */
void decode_walk(rid_t rid, uint64_t address);
/* What becomes of a read and of a write, in VT-d's reason codes and in words; then whose function
 * it is, whether it may send at all, the way as above, and the function's latest fault. */
void decode_why(rid_t rid, uint64_t address);
/* The way of a guest's own access through its EPT or NPT. */
void decode_guest_walk(const struct guest *guest, uint64_t address);
/* Each unit's interrupt remapping entry of that number, and what it delivers. */
void decode_interrupt(uint64_t index);
