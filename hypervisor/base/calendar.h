/* SPDX-License-Identifier: MIT */
/* Civil time, Gregorian, without leap seconds: seconds since the beginning of 1970. */
#pragma once

#include "hypervisor/base/core.h"

struct calendar_time {
    uint32_t year;      /* 1970 to 2242 */
    uint8_t month, day; /* from 1 */
    uint8_t hour, minute, second;
    uint8_t weekday; /* 1: Sunday */
};

/* Larger values count as 2^33 seconds. */
struct calendar_time calendar_time(uint64_t seconds);
