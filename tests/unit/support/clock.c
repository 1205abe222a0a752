/* SPDX-License-Identifier: MIT */
#include "hypervisor/base/clock.h"
#include "tests/unit/support/host.h"

static uint64_t now;
void (*host_during_relax)(void);

uint64_t clock_microseconds(void)
{
    return now++;
}

void clock_relax(void)
{
    now += 10;
    if (host_during_relax != NULL)
        host_during_relax();
}

void clock_delay(uint64_t microseconds)
{
    now += microseconds;
}

void clock_wait(struct deadline deadline)
{
    while (!deadline_passed(deadline))
        clock_relax();
}

void host_clock_set(uint64_t microseconds)
{
    now = microseconds;
}

void host_clock_advance(uint64_t microseconds)
{
    now += microseconds;
}
