/* SPDX-License-Identifier: MIT */
/*
 * A guest's real-time clock: the registers of an MC146818 as far as a kernel that asks for the date
 * reads them. The date is the hypervisor's; it cannot be set, and there is no alarm or interrupt.
 */
#pragma once

#include "hypervisor/base/core.h"

/* What register `index` (what was written to port 70h) holds at `seconds` since 1970: BCD, 24
 * hours. */
uint8_t virtual_rtc_read(uint8_t index, uint64_t seconds);
