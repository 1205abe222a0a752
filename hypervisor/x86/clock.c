/* SPDX-License-Identifier: MIT */
#include "hypervisor/x86/clock.h"

#include "hypervisor/base/clock.h"
#include "hypervisor/x86/registers.h"

struct clock_rate clock_rate = {.khz = CLOCK_ASSUMED_KHZ,
                                .scale = (UINT64_C(1000) << CLOCK_SCALE_SHIFT) / CLOCK_ASSUMED_KHZ};

uint64_t clock_microseconds(void)
{
    uint64_t now = tsc_read();
    /* Another core's TSC may be a little behind. */
    uint64_t elapsed = now > clock_rate.base_tsc ? now - clock_rate.base_tsc : 0;
    return clock_rate.base_microseconds +
           (uint64_t)((unsigned __int128)elapsed * clock_rate.scale >> CLOCK_SCALE_SHIFT);
}

void clock_relax(void)
{
    __asm__ volatile("pause" ::: "memory");
}

void clock_wait(struct deadline deadline)
{
    uint64_t start = tsc_read();
    while (!deadline_passed(deadline))
        clock_relax();
    clock_rate.waited += tsc_read() - start;
}

void clock_delay(uint64_t microseconds)
{
    clock_wait(deadline_in(microseconds + 1));
}

uint64_t clock_tsc_khz(void)
{
    return clock_rate.khz;
}
