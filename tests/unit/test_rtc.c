/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/x86/rtc.c hypervisor/setup/rtc.c hypervisor/vdev/virtual_rtc.c
// SOURCES: hypervisor/base/calendar.c hypervisor/base/string.c
/* The date: the host's clock as firmware may have left it, and what a guest reads of it. */
#include <string.h>
#include <time.h>

#include "hypervisor/base/calendar.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/vdev/virtual_rtc.h"
#include "hypervisor/setup/time.h"
#include "hypervisor/x86/rtc.h"
#include "tests/unit/support/host.h"

/* --- a clock --- */

static uint8_t chip[128], chosen;
static unsigned reads_until_tick; /* the seconds advance after so many reads; 0: never */
static unsigned updating;         /* reads of register A that still say so */

void port_write8(uint16_t port, uint8_t value)
{
    assert_int_equal(port, 0x70); /* nothing of the clock is changed */
    chosen = value & 0x7f;
}

uint8_t port_read8(uint16_t port)
{
    assert_int_equal(port, 0x71);
    assert_int_not_equal(chosen, RTC_C);
    if (reads_until_tick != 0 && --reads_until_tick == 0) {
        chip[RTC_SECOND] = 0x00;
        chip[RTC_MINUTE] = 0x00;
        chip[RTC_HOUR] = 0x00;
        chip[RTC_DAY] = 0x01;
        chip[RTC_MONTH] = 0x01;
        chip[RTC_YEAR] = 0x27;
    }
    if (chosen == RTC_A && updating != 0) {
        updating -= updating != UINT32_MAX;
        return RTC_A_UPDATING;
    }
    return chip[chosen];
}

static int fresh(void **state)
{
    memset(chip, 0, sizeof chip);
    chip[RTC_SECOND] = 0x59;
    chip[RTC_MINUTE] = 0x58;
    chip[RTC_HOUR] = 0x23;
    chip[RTC_DAY] = 0x31;
    chip[RTC_MONTH] = 0x12;
    chip[RTC_YEAR] = 0x26;
    chip[RTC_B] = RTC_B_24_HOURS;
    reads_until_tick = updating = 0;
    host_clock_set(5000000);
    return 0;
}

static uint64_t seconds_of(int year, int month, int day, int hour, int minute, int second)
{
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = month - 1,
                    .tm_mday = day,
                    .tm_hour = hour,
                    .tm_min = minute,
                    .tm_sec = second};
    return (uint64_t)timegm(&tm);
}

static void it_is_read_and_goes_on(void **state)
{
    assert_int_equal(rtc_init(NULL), STATUS_OK);
    uint64_t date = seconds_of(2026, 12, 31, 23, 58, 59);
    assert_int_equal(rtc_seconds(), date);
    host_clock_advance(100 * 1000000);
    assert_in_range(rtc_seconds(), date + 100, date + 101);
}

static void every_format_is_understood(void **state)
{
    static const struct {
        uint8_t control, hour;
        int expected;
    } cases[] = {
        {RTC_B_24_HOURS, 0x23, 23},
        {0, 0x12, 0},
        {0, 0x92, 12},
        {0, 0x91, 23},
        {0, 0x11, 11},
        {RTC_B_BINARY, 12, 0},
        {RTC_B_BINARY, 0x8b, 23},
        {0, 0x81, 13},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        (void)fresh(state);
        chip[RTC_B] = cases[i].control;
        chip[RTC_HOUR] = cases[i].hour;
        if ((cases[i].control & RTC_B_BINARY) != 0) {
            chip[RTC_SECOND] = 59, chip[RTC_MINUTE] = 58, chip[RTC_DAY] = 31;
            chip[RTC_MONTH] = 12, chip[RTC_YEAR] = 26;
        }
        assert_int_equal(rtc_init(NULL), STATUS_OK);
        assert_int_equal(rtc_seconds(), seconds_of(2026, 12, 31, cases[i].expected, 58, 59));
    }
    (void)fresh(state);
    chip[RTC_YEAR] = 0x99;
    assert_int_equal(rtc_init(NULL), STATUS_OK);
    assert_int_equal(rtc_seconds(), seconds_of(1999, 12, 31, 23, 58, 59));
}

/* The new year comes while it is read: not the old year's last day in the new year. */
static void a_date_that_changes_is_read_whole(void **state)
{
    for (unsigned reads = 1; reads < 40; reads++) {
        (void)fresh(state);
        reads_until_tick = reads;
        assert_int_equal(rtc_init(NULL), STATUS_OK);
        uint64_t seconds = rtc_seconds();
        assert_true(seconds == seconds_of(2026, 12, 31, 23, 58, 59) ||
                    seconds == seconds_of(2027, 1, 1, 0, 0, 0));
    }
}

static void no_date_is_refused(void **state)
{
    static const struct {
        unsigned index;
        uint8_t value;
    } cases[] = {
        {RTC_SECOND, 0x60}, {RTC_SECOND, 0x5a}, {RTC_MINUTE, 0xff}, {RTC_HOUR, 0x24},
        {RTC_DAY, 0},       {RTC_DAY, 0x32},    {RTC_MONTH, 0},     {RTC_MONTH, 0x13},
        {RTC_YEAR, 0xa0},   {RTC_MONTH, 0x11},  {RTC_B, 0}, /* 23 with 12 hours */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        (void)fresh(state);
        chip[cases[i].index] = cases[i].value;
        assert_int_equal(rtc_init(NULL), STATUS_INVALID);
        assert_in_range(rtc_seconds(), 5, 6); /* of 1970 */
    }
}

static void the_wait_ends(void **state)
{
    updating = 50;
    assert_int_equal(rtc_init(NULL), STATUS_OK);
    updating = UINT32_MAX;
    assert_int_equal(rtc_init(NULL), STATUS_TIMEOUT);
    memset(chip, 0xff, sizeof chip); /* nothing there */
    updating = 0;
    assert_int_equal(rtc_init(NULL), STATUS_TIMEOUT);
    struct fadt fadt = {.no_rtc = true};
    updating = UINT32_MAX;
    assert_int_equal(rtc_init(&fadt), STATUS_NOT_FOUND);
}

/* --- the calendar, against the C library's --- */

static void the_calendar_agrees(void **state)
{
    for (uint64_t seconds = 0; seconds < UINT64_C(1) << 33; seconds += 86400 * 7 / 2 + 3601) {
        time_t when = (time_t)seconds;
        struct tm tm;
        gmtime_r(&when, &tm);
        struct calendar_time time = calendar_time(seconds);
        assert_int_equal(time.year, tm.tm_year + 1900);
        assert_int_equal(time.month, tm.tm_mon + 1);
        assert_int_equal(time.day, tm.tm_mday);
        assert_int_equal(time.hour, tm.tm_hour);
        assert_int_equal(time.minute, tm.tm_min);
        assert_int_equal(time.second, tm.tm_sec);
        assert_int_equal(time.weekday, tm.tm_wday + 1);
        uint64_t back;
        assert_int_equal(calendar_seconds(&time, &back), STATUS_OK);
        assert_int_equal(back, seconds);
    }
    assert_int_equal(calendar_time(UINT64_MAX).year, 2242);
}

static void days_that_are_not_there(void **state)
{
    uint64_t seconds;
    struct calendar_time time = {.year = 2100, .month = 2, .day = 29};
    assert_int_equal(calendar_seconds(&time, &seconds), STATUS_INVALID);
    time.year = 2000;
    assert_int_equal(calendar_seconds(&time, &seconds), STATUS_OK);
    time = (struct calendar_time){.year = 1969, .month = 12, .day = 31};
    assert_int_equal(calendar_seconds(&time, &seconds), STATUS_INVALID);
}

/* --- what a guest sees --- */

static void a_guest_reads_the_date(void **state)
{
    uint64_t seconds = seconds_of(2026, 11, 27, 23, 4, 59);
    static const uint8_t expected[] = {
        [RTC_SECOND] = 0x59, [RTC_MINUTE] = 0x04, [RTC_HOUR] = 0x23, [RTC_WEEKDAY] = 0x06,
        [RTC_DAY] = 0x27,    [RTC_MONTH] = 0x11,  [RTC_YEAR] = 0x26, [RTC_A] = 0x26,
        [RTC_B] = 0x02,      [RTC_C] = 0,         [RTC_D] = 0x80,
    };
    for (unsigned index = 0; index < 0x80; index++) {
        uint8_t value = index < sizeof expected ? expected[index] : 0;
        assert_int_equal(virtual_rtc_read((uint8_t)index, seconds), value);
        assert_int_equal(virtual_rtc_read((uint8_t)(index | 0x80), seconds), value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(it_is_read_and_goes_on, fresh),
        cmocka_unit_test_setup(every_format_is_understood, fresh),
        cmocka_unit_test_setup(a_date_that_changes_is_read_whole, fresh),
        cmocka_unit_test_setup(no_date_is_refused, fresh),
        cmocka_unit_test_setup(the_wait_ends, fresh),
        cmocka_unit_test(the_calendar_agrees),
        cmocka_unit_test(days_that_are_not_there),
        cmocka_unit_test(a_guest_reads_the_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
