/* SPDX-License-Identifier: MIT */
/* Reading the real-time clock. */
#include "hypervisor/x86/rtc.h"

#include "hypervisor/base/calendar.h"
#include "hypervisor/base/clock.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/base/string.h"
#include "hypervisor/setup/time.h"

#define UPDATE_LIMIT MILLISECONDS(100) /* an update takes 2 */
#define TRIES        3

struct reading {
    uint8_t field[RTC_D + 1];
};

static uint8_t read_register(unsigned index)
{
    port_write8(RTC_INDEX_PORT, (uint8_t)index);
    return port_read8(RTC_DATA_PORT);
}

static bool read_all(struct reading *reading)
{
    if (!WAIT_UNTIL((read_register(RTC_A) & RTC_A_UPDATING) == 0, UPDATE_LIMIT))
        return false;
    for (unsigned index = 0; index <= RTC_D; index++)
        reading->field[index] = index == RTC_A || index == RTC_C
                                    ? 0
                                    : read_register(index); /* reading C acknowledges */
    return true;
}

static uint8_t number(const struct reading *reading, uint8_t value)
{
    if ((reading->field[RTC_B] & RTC_B_BINARY) != 0)
        return value;
    /* A digit above 9 must not become a date by accident. */
    return (value & 0xf) > 9 || value >> 4 > 9 ? UINT8_MAX
                                               : (uint8_t)((value >> 4) * 10 + (value & 0xf));
}

enum status calendar_seconds(const struct calendar_time *time, uint64_t *seconds)
{
    if (time->year < 1970 || time->year > 2242 || time->month < 1 || time->month > 12 ||
        time->hour > 23 || time->minute > 59 || time->second > 59)
        return STATUS_INVALID;
    /* Years that begin in March have the leap day at their end: days before a month are then 153
     * for each five of them. 719468 days lie between 1 March of year 0 and 1 January 1970. */
    uint64_t year = time->month > 2 ? time->year : time->year - 1;
    uint64_t month = (time->month + 9u) % 12;
    uint64_t days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 +
                    time->day - 1 - 719468;
    *seconds = ((days * 24 + time->hour) * 60 + time->minute) * 60 + time->second;
    /* A day that the month does not have is another day of another month. */
    return calendar_time(*seconds).day == time->day ? STATUS_OK : STATUS_INVALID;
}

static enum status decode(const struct reading *reading, uint64_t *seconds)
{
    const uint8_t *field = reading->field;
    bool pm = (field[RTC_B] & RTC_B_24_HOURS) == 0 && (field[RTC_HOUR] & RTC_HOUR_PM) != 0;
    uint8_t hour = number(reading, pm ? field[RTC_HOUR] & 0x7f : field[RTC_HOUR]);
    if ((field[RTC_B] & RTC_B_24_HOURS) == 0)
        hour = hour >= 1 && hour <= 12 ? (uint8_t)(hour % 12 + (pm ? 12 : 0)) : UINT8_MAX;
    uint8_t year = number(reading, field[RTC_YEAR]);
    /* The century's register has no fixed place; clocks of before 1970 are not expected. */
    struct calendar_time time = {.year = year < 70 ? 2000u + year : 1900u + year,
                                 .month = number(reading, field[RTC_MONTH]),
                                 .day = number(reading, field[RTC_DAY]),
                                 .hour = hour,
                                 .minute = number(reading, field[RTC_MINUTE]),
                                 .second = number(reading, field[RTC_SECOND])};
    return year > 99 ? STATUS_INVALID : calendar_seconds(&time, seconds);
}

enum status rtc_init(const struct fadt *fadt)
{
    rtc_start = 0;
    if (fadt != NULL && fadt->no_rtc)
        return STATUS_NOT_FOUND;
    struct reading reading, again;
    if (!read_all(&reading))
        return STATUS_TIMEOUT;
    /* An update between two registers shows itself as a difference. */
    for (unsigned i = 0; i < TRIES; i++) {
        if (!read_all(&again))
            return STATUS_TIMEOUT;
        if (memcmp(&reading, &again, sizeof reading) == 0)
            break;
        reading = again;
    }
    uint64_t seconds;
    enum status status = decode(&reading, &seconds);
    uint64_t passed = clock_microseconds() / 1000000;
    if (status == STATUS_OK)
        rtc_start = seconds - MIN(seconds, passed);
    return status;
}
