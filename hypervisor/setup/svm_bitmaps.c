/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/svm.h"

#include "hypervisor/base/string.h"
#include "hypervisor/setup/policy.h"
#include "hypervisor/vcpu/policy/msr.h"

#define MSRS_PER_RANGE  0x2000u
#define BYTES_PER_RANGE 0x800u /* two bits an MSR: read, write */

void svm_bitmaps_build(uint8_t *msrpm, uint8_t *iopm)
{
    static const uint32_t ranges[] = {0x00000000, 0xc0000000, 0xc0010000};

    memset(msrpm, 0xff, SVM_MSRPM_PAGES * PAGE_SIZE);
    for (size_t range = 0; range < ARRAY_SIZE(ranges); range++) {
        const uint32_t base = ranges[range];
        uint32_t msr = base;
        for (uint32_t i; (i = msr_policy_next(msr) - base) < MSRS_PER_RANGE; msr = base + i + 1) {
            unsigned granted = (msr_policy_direct(base + i, false) ? 1u : 0u) |
                               (msr_policy_direct(base + i, true) ? 2u : 0u);
            uint8_t *byte = &msrpm[range * BYTES_PER_RANGE + i / 4];
            *byte = (uint8_t)(*byte & ~(granted << i % 4 * 2));
        }
    }
    memset(iopm, 0xff, SVM_IOPM_PAGES * PAGE_SIZE); /* every port exits */
}
