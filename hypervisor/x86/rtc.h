/* SPDX-License-Identifier: MIT */
/*
 * The date: read once from the PC's real-time clock (MC146818 and its successors, registers behind
 * ports 70h and 71h), carried on by the TSC.
 */
#pragma once

#include "hypervisor/base/core.h"

/* The clock's registers, by index. */
enum rtc_register {
    RTC_SECOND = 0x00,
    RTC_MINUTE = 0x02,
    RTC_HOUR = 0x04,
    RTC_WEEKDAY = 0x06,
    RTC_DAY = 0x07,
    RTC_MONTH = 0x08,
    RTC_YEAR = 0x09, /* of the century */
    RTC_A = 0x0a,
    RTC_B = 0x0b,
    RTC_C = 0x0c,
    RTC_D = 0x0d,
};

#define RTC_A_DIVIDER  0x20 /* 32.768 kHz, running */
#define RTC_A_RATE     0x06
#define RTC_B_24_HOURS BIT(1)
#define RTC_D_VALID    BIT(7)

/* Seconds since the beginning of 1970. */
uint64_t rtc_seconds(void);
/* The date when the clock was at 0; written at boot. */
extern uint64_t rtc_start;
