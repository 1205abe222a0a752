/* SPDX-License-Identifier: MIT */
#include "hypervisor/vdev/virtual_rtc.h"

#include "hypervisor/base/calendar.h"
#include "hypervisor/x86/rtc.h"

#define INDEX_MASK 0x7f /* bit 7 of port 70h gates NMIs */

static uint8_t bcd(uint32_t value)
{
    return (uint8_t)(value / 10 % 10 << 4 | value % 10);
}

uint8_t virtual_rtc_read(uint8_t index, uint64_t seconds)
{
    struct calendar_time time = calendar_time(seconds);
    const uint8_t registers[] = {
        [RTC_SECOND] = bcd(time.second),
        [RTC_MINUTE] = bcd(time.minute),
        [RTC_HOUR] = bcd(time.hour),
        [RTC_WEEKDAY] = bcd(time.weekday),
        [RTC_DAY] = bcd(time.day),
        [RTC_MONTH] = bcd(time.month),
        [RTC_YEAR] = bcd(time.year),
        [RTC_A] = RTC_A_DIVIDER | RTC_A_RATE, /* never in an update */
        [RTC_B] = RTC_B_24_HOURS,
        [RTC_D] = RTC_D_VALID,
    };
    index &= INDEX_MASK;
    return index < ARRAY_SIZE(registers) ? registers[index] : 0;
}
