/* SPDX-License-Identifier: MIT */
#include "hypervisor/base/calendar.h"

#define FIRST_YEAR  1970
#define DAY         86400u
#define LAST_SECOND (UINT64_C(1) << 33)
#define THURSDAY    4 /* 1 January 1970, counted from Sunday as 0 */

static bool is_leap(uint32_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static uint32_t days_of_year(uint32_t year)
{
    return is_leap(year) ? 366 : 365;
}

static uint32_t days_of_month(uint32_t year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year) ? 1u : 0u);
}

struct calendar_time calendar_time(uint64_t seconds)
{
    uint64_t all = MIN(seconds, LAST_SECOND);
    uint32_t days = (uint32_t)(all / DAY), rest = (uint32_t)(all % DAY);
    struct calendar_time time = {.year = FIRST_YEAR,
                                 .month = 1,
                                 .hour = (uint8_t)(rest / 3600),
                                 .minute = (uint8_t)(rest / 60 % 60),
                                 .second = (uint8_t)(rest % 60),
                                 .weekday = (uint8_t)((days + THURSDAY) % 7 + 1)};
    while (days >= days_of_year(time.year))
        days -= days_of_year(time.year++);
    while (days >= days_of_month(time.year, time.month))
        days -= days_of_month(time.year, time.month++);
    time.day = (uint8_t)(days + 1);
    return time;
}
