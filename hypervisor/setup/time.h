/* SPDX-License-Identifier: MIT */
/* Clock, date and timer at boot. */
#pragma once

#include "hypervisor/acpi/fadt.h"
#include "hypervisor/base/calendar.h"

/* The clock is at 0 where the TSC was at `tsc`: when the loader handed over. The first thing to
 * call. */
void clock_start(uint64_t tsc);
/* Measures the TSC against the ACPI PM timer (ACPI 4.8.3.3: 3.579545 MHz); without one takes what
 * CPUID 15h, 40000010h or 16h say, in this order. Takes about 15 ms. Boot core only, before other
 * cores run. `fadt` may be NULL. STATUS_NOT_FOUND: nothing helps, and the clock goes on with what
 * it assumes. */
MUST_CHECK enum status clock_init(const struct fadt *fadt);

/* Boot core, once the clock runs. `fadt` may be NULL. STATUS_NOT_FOUND: firmware says that there
 * is none; STATUS_TIMEOUT: it never stops updating (or there is none); STATUS_INVALID: what it
 * holds is not a date. Time then begins with 1970. */
MUST_CHECK enum status rtc_init(const struct fadt *fadt);

/* The inverse of calendar_time(); the weekday is not looked at. STATUS_INVALID before 1970, later
 * than 2^33 seconds after its beginning, when a field is out of range or the month has no such day.
 */
MUST_CHECK enum status calendar_seconds(const struct calendar_time *time, uint64_t *seconds);

/* Of the PC's real-time clock, what x86/rtc.h has not. */
#define RTC_INDEX_PORT 0x70
#define RTC_DATA_PORT  0x71
#define RTC_A_UPDATING BIT(7)
#define RTC_B_BINARY   BIT(2)
#define RTC_HOUR_PM    BIT(7) /* with 12 hours */

/* A periodic interrupt on the control core. */
void timer_start(uint64_t period_microseconds);
