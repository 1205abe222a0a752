/* SPDX-License-Identifier: MIT */
#include "hypervisor/x86/rtc.h"

#include "hypervisor/base/clock.h"

uint64_t rtc_start;

uint64_t rtc_seconds(void)
{
    return rtc_start + clock_microseconds() / 1000000;
}
