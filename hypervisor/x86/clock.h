/* The TSC as the hypervisor's clock (base/clock.h). */
#pragma once

#include "hypervisor/acpi/acpi.h"
#include "hypervisor/base/core.h"

/* The clock is at 0 where the TSC was at `tsc`: when the loader handed over. The first thing to
 * call. */
void clock_start(uint64_t tsc);
/* Measures the TSC against the ACPI PM timer (ACPI 4.8.3.3: 3.579545 MHz); without one takes what
 * CPUID 15h, 40000010h or 16h say, in this order. Takes about 15 ms. Boot core only, before other
 * cores run. `fadt` may be NULL. Until then, and when nothing helps (STATUS_NOT_FOUND), the clock
 * assumes 5 GHz: waits are then too long, never too short. */
MUST_CHECK enum status clock_init(const struct fadt *fadt);

uint64_t clock_tsc_khz(void);
