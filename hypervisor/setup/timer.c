/* SPDX-License-Identifier: MIT */
#include "hypervisor/base/clock.h"
#include "hypervisor/base/log.h"
#include "hypervisor/setup/time.h"
#include "hypervisor/x86/apic_registers.h"
#include "hypervisor/x86/interrupts.h"

#define APIC_TIMER_CURRENT      0x390
#define APIC_LVT_PERIODIC       0x20000u
#define APIC_TIMER_DIVIDE_BY_16 0x3u
#define TIMER_WINDOW            MILLISECONDS(5)

/* Timer ticks per second at divide by 16; the crystal differs between machines. */
static uint64_t timer_rate(void)
{
    apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED | VECTOR_TIMER);
    apic_write(APIC_TIMER_DIVIDE, APIC_TIMER_DIVIDE_BY_16);
    apic_write(APIC_TIMER_INITIAL, UINT32_MAX);
    uint64_t start = clock_microseconds();
    clock_delay(TIMER_WINDOW);
    uint32_t ticks = UINT32_MAX - apic_read(APIC_TIMER_CURRENT);
    uint64_t elapsed = clock_microseconds() - start;
    apic_write(APIC_TIMER_INITIAL, 0);
    return (uint64_t)ticks * MILLISECONDS(1000) / elapsed;
}

void timer_start(uint64_t period_microseconds)
{
    uint64_t rate = timer_rate();
    if (rate == 0) {
        log_event("timer.refused", "message=\"the local APIC's timer does not count; the monitor "
                                   "answers only when something else wakes the control core\"");
        return;
    }
    uint64_t count = rate * period_microseconds / MILLISECONDS(1000);
    count = MAX(MIN(count, (uint64_t)UINT32_MAX), 1u);
    apic_write(APIC_TIMER_DIVIDE, APIC_TIMER_DIVIDE_BY_16);
    apic_write(APIC_LVT_TIMER, APIC_LVT_PERIODIC | VECTOR_TIMER);
    apic_write(APIC_TIMER_INITIAL, (uint32_t)count);
}
