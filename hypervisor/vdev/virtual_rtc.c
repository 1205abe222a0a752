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
    switch (index & INDEX_MASK) {
    case RTC_SECOND:
        return bcd(time.second);
    case RTC_MINUTE:
        return bcd(time.minute);
    case RTC_HOUR:
        return bcd(time.hour);
    case RTC_WEEKDAY:
        return bcd(time.weekday);
    case RTC_DAY:
        return bcd(time.day);
    case RTC_MONTH:
        return bcd(time.month);
    case RTC_YEAR:
        return bcd(time.year);
    case RTC_A:
        return RTC_A_DIVIDER | RTC_A_RATE; /* never in an update */
    case RTC_B:
        return RTC_B_24_HOURS;
    case RTC_D:
        return RTC_D_VALID;
    default:
        return 0;
    }
}
