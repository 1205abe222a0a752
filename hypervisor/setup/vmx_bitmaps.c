/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/vmx.h"

#include "hypervisor/base/string.h"
#include "hypervisor/setup/policy.h"
#include "hypervisor/setup/vmx_registers.h"
#include "hypervisor/vcpu/policy/msr.h"

#define MSR_HIGH_BASE   0xc0000000u
#define MSRS_PER_BITMAP 0x2000u

static void grant(uint8_t *bitmap, uint32_t bit)
{
    bitmap[bit / 8] = (uint8_t)(bitmap[bit / 8] & ~(1u << bit % 8));
}

static void build_half(uint8_t *read, uint8_t *write, uint32_t base)
{
    uint32_t msr = base;
    for (uint32_t bit; (bit = msr_policy_next(msr) - base) < MSRS_PER_BITMAP;
         msr = base + bit + 1) {
        if (msr_policy_direct(base + bit, false))
            grant(read, bit);
        if (msr_policy_direct(base + bit, true))
            grant(write, bit);
    }
}

void vmx_bitmaps_build(void)
{
    struct vmx_msr_bitmap *bitmap = (struct vmx_msr_bitmap *)vmx_msr_bitmap;
    memset(bitmap, 0xff, sizeof *bitmap);
    build_half(bitmap->read_low, bitmap->write_low, 0);
    build_half(bitmap->read_high, bitmap->write_high, MSR_HIGH_BASE);
    memset(vmx_io_bitmaps, 0xff, sizeof vmx_io_bitmaps);
}
