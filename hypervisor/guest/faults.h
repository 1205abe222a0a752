/* SPDX-License-Identifier: MIT */
/* Faults of guests' devices: attributed, counted, answered by each guest's policy. */
#pragma once

#include "hypervisor/iommu/fault.h"

/* One pass over the units' fault records. Logs `dma.fault` or `irq.fault` with the action taken. */
void faults_answer(void);
/* One fault that somebody else took from the records. */
void fault_answer(const struct iommu_fault *fault);

/* The latest faults for the monitor: 0 is the newest; NULL past the end. */
struct fault_record {
    uint64_t at_microseconds;
    struct iommu_fault fault;
    char guest[32]; /* "-" when nobody owns the requester */
};
const struct fault_record *fault_record(unsigned index);
uint64_t fault_total(void);
