/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/setup/vmx_bitmaps.c hypervisor/vcpu/vmx/shared.c
/* The MSR bitmap says what the policy says, bit for bit; every port exits. */
#include "hypervisor/setup/policy.h"
#include "hypervisor/vcpu/policy/msr.h"
#include "hypervisor/setup/vmx.h"
#include "hypervisor/setup/vmx_registers.h"
#include "tests/unit/support/host.h"

/* A policy with readable, writable and refused MSRs at both ends of both halves. */
bool msr_policy_direct(uint32_t msr, bool write)
{
    return msr % 0x1fff == 0 || (write ? msr % 7 == 3 : msr % 5 == 2);
}

uint32_t msr_policy_next(uint32_t msr)
{
    return msr;
}

static bool exits(const uint8_t *bitmap, uint32_t bit)
{
    return (bitmap[bit / 8] & 1u << bit % 8) != 0;
}

static void msr_bitmap_follows_the_policy(void **state)
{
    vmx_bitmaps_build();
    const struct vmx_msr_bitmap *bitmap = (const struct vmx_msr_bitmap *)vmx_msr_bitmap;
    for (uint32_t bit = 0; bit < 0x2000; bit++) {
        assert_int_equal(exits(bitmap->read_low, bit), !msr_policy_direct(bit, false));
        assert_int_equal(exits(bitmap->write_low, bit), !msr_policy_direct(bit, true));
        assert_int_equal(exits(bitmap->read_high, bit),
                         !msr_policy_direct(0xc0000000u + bit, false));
        assert_int_equal(exits(bitmap->write_high, bit),
                         !msr_policy_direct(0xc0000000u + bit, true));
    }
    assert_int_equal((uintptr_t)bitmap % PAGE_SIZE, 0);
}

static void every_port_exits(void **state)
{
    vmx_bitmaps_build();
    for (unsigned half = 0; half < 2; half++) {
        const uint8_t *bitmap = vmx_io_bitmaps[half];
        assert_int_equal((uintptr_t)bitmap % PAGE_SIZE, 0);
        for (size_t i = 0; i < PAGE_SIZE; i++)
            assert_int_equal(bitmap[i], 0xff);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(msr_bitmap_follows_the_policy),
        cmocka_unit_test(every_port_exits),
    };
    return cmocka_run_group_tests_name("vmx bitmaps", tests, NULL, NULL);
}
