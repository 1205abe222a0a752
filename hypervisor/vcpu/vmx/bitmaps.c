#include "hypervisor/base/string.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/vcpu/policy/msr.h"
#include "hypervisor/vcpu/vmx/vmx.h"

#define MSR_HIGH_BASE   0xc0000000u
#define MSRS_PER_BITMAP 0x2000u

static struct vmx_msr_bitmap msr_bitmap __attribute__((aligned(PAGE_SIZE)));
static uint8_t io_bitmap[2][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

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
    memset(&msr_bitmap, 0xff, sizeof msr_bitmap);
    build_half(msr_bitmap.read_low, msr_bitmap.write_low, 0);
    build_half(msr_bitmap.read_high, msr_bitmap.write_high, MSR_HIGH_BASE);
    memset(io_bitmap, 0xff, sizeof io_bitmap);
}

uint64_t vmx_msr_bitmap_address(void)
{
    return physical_address(&msr_bitmap);
}

uint64_t vmx_io_bitmap_address(unsigned half)
{
    return physical_address(io_bitmap[half & 1]);
}
