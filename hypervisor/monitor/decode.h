/* SPDX-License-Identifier: MIT */
/* What hardware structures say, for people at the prompt. */
#pragma once

#include "hypervisor/iommu/report.h"

const char *decode_on_off(uint64_t value, unsigned bit);
/* Whether the function may send: the live bit of its command register. */
bool decode_masters(const struct pci_function *function);
/* The live context entry of a function; false where it has none, or no unit that is used. */
bool decode_context(const struct pci_function *function, struct iommu_context_report *context);
/* Prints every level from the root entry to the leaf that a requester's access would take, and the
 * verdict. */
void decode_walk(rid_t rid, uint64_t address);
/* The same with whose function it is, whether it may send at all, what the unit does with a read
 * and a write, in VT-d's reason codes and in words, and the function's latest fault. */
void decode_why(rid_t rid, uint64_t address);
