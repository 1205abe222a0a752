/* SPDX-License-Identifier: MIT */
#include "hypervisor/vcpu/barrier.h"

#include "hypervisor/x86/registers.h"

struct core_barriers core_barriers;

void core_barrier(void)
{
    /* The boot core has tried both registers; one that refused is not written again. */
    if (core_barriers.predictors)
        (void)!msr_write_safe(MSR_PRED_CMD, 1);
    if (core_barriers.cache)
        (void)!msr_write_safe(MSR_FLUSH_CMD, 1);
    if (core_barriers.buffers) {
        uint16_t selector;
        __asm__ volatile("mov %%ds, %0\n\tverw %0" : "=m"(selector) : : "cc", "memory");
    }
}
