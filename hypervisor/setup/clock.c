/* SPDX-License-Identifier: MIT */
/* Measuring the TSC. */
#include "hypervisor/base/clock.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/setup/time.h"
#include "hypervisor/x86/clock.h"
#include "hypervisor/x86/registers.h"

#define PM_TIMER_HZ 3579545
/* The upper eight are optional, and a window is far shorter than a wrap. */
#define PM_TIMER_BITS 24
#define WINDOW_TICKS  (PM_TIMER_HZ / 250) /* 4 ms */
#define WINDOWS       3
#define PLAUSIBLE_KHZ UINT64_C(1000) /* below 1 MHz no machine runs, emulated ones included */
/* A read takes at least 0.2 us wherever a PM timer is real, so this is 0.2 s or more; where time
 * stands for instructions (Bochs) it is some ten times what a window needs. */
#define MAX_READS 1000000u

void clock_start(uint64_t tsc)
{
    /* A start that lies ahead would stop the clock, and no wait would end. */
    uint64_t now = tsc_read();
    clock_rate.base_tsc = MIN(tsc, now);
}

static void set_rate(uint64_t khz, const char *source)
{
    uint64_t before = clock_microseconds();
    uint64_t now = tsc_read();
    clock_rate.khz = khz;
    clock_rate.scale = (UINT64_C(1000) << CLOCK_SCALE_SHIFT) / khz;
    /* If the TSC is slower than assumed, time jumps forward to the true distance from the
     * hand-over. If it is faster, time must not jump back, and goes on from here. */
    if (khz > CLOCK_ASSUMED_KHZ) {
        clock_rate.base_tsc = now;
        clock_rate.base_microseconds = before;
    }
    log_event("clock.calibrated", "tsc_khz=%lu source=%s", khz, source);
}

struct sample {
    uint32_t ticks;
    uint64_t tsc;
};

/* The TSC half-way through the port access, whose length is the error of the measurement. */
static struct sample pm_timer_sample(uint16_t port)
{
    uint64_t before = tsc_read();
    uint32_t ticks = port_read32(port);
    uint64_t after = tsc_read();
    return (struct sample){ticks, before + (after - before) / 2};
}

static uint32_t ticks_since(uint32_t start, uint32_t now)
{
    return (now - start) & (uint32_t)(BIT(PM_TIMER_BITS) - 1);
}

/* TSC kHz over one window; 0 when the timer does not move. */
static uint64_t measure_window(uint16_t port)
{
    struct sample start = pm_timer_sample(port);
    for (uint32_t reads = 0; reads < MAX_READS; reads++) {
        struct sample now = pm_timer_sample(port);
        uint32_t ticks = ticks_since(start.ticks, now.ticks);
        if (ticks >= WINDOW_TICKS) {
            clock_rate.waited += now.tsc - start.tsc;
            return (now.tsc - start.tsc) * PM_TIMER_HZ / ticks / 1000;
        }
        clock_relax();
    }
    return 0;
}

/* The median of three windows: one that an interruption of the whole machine (SMI, or another
 * hypervisor's scheduling) fell into does not count. */
static uint64_t measure_pm_timer(uint16_t port)
{
    uint64_t khz[WINDOWS];
    for (size_t i = 0; i < WINDOWS; i++) {
        khz[i] = measure_window(port);
        if (khz[i] == 0)
            return 0;
    }
    uint64_t low = MIN(khz[0], khz[1]);
    uint64_t high = MAX(khz[0], khz[1]);
    return MAX(low, MIN(high, khz[2]));
}

/* SDM 2A CPUID 15h: TSC = crystal * EBX / EAX; 16h: base frequency in MHz; 40000010h: kHz, as
 * hypervisors agreed on. */
static uint64_t khz_from_cpuid(const char **source)
{
    uint32_t highest = cpuid(0, 0).eax;
    if (highest >= 0x15) {
        struct cpuid_result tsc = cpuid(0x15, 0);
        if (tsc.eax != 0 && tsc.ebx != 0 && tsc.ecx != 0) {
            *source = "cpuid-15h";
            return (uint64_t)tsc.ecx * tsc.ebx / tsc.eax / 1000;
        }
    }
    if ((cpuid(1, 0).ecx & BIT(31)) != 0 && cpuid(0x40000000, 0).eax >= 0x40000010 &&
        cpuid(0x40000000, 0).eax < 0x40010000) {
        *source = "cpuid-40000010h";
        return cpuid(0x40000010, 0).eax;
    }
    if (highest >= 0x16) {
        *source = "cpuid-16h";
        return FIELD(cpuid(0x16, 0).eax, 15, 0) * 1000;
    }
    return 0;
}

enum status clock_init(const struct fadt *fadt)
{
    uint32_t port = fadt != NULL ? fadt->pm_timer_port : 0;
    if (port != 0 && port <= UINT16_MAX) {
        uint64_t khz = measure_pm_timer((uint16_t)port);
        if (khz >= PLAUSIBLE_KHZ) {
            set_rate(khz, "pm-timer");
            return STATUS_OK;
        }
        log_event("clock.refused",
                  "source=pm-timer port=%#x tsc_khz=%lu message=\"the ACPI PM timer does not count "
                  "correctly; using the rate from CPUID\"",
                  port, khz);
    }
    const char *source = "";
    uint64_t khz = khz_from_cpuid(&source);
    if (khz >= PLAUSIBLE_KHZ) {
        set_rate(khz, source);
        return STATUS_OK;
    }
    log_event("clock.refused",
              "source=none tsc_khz=%lu message=\"neither a PM timer nor CPUID gives the TSC's "
              "rate; assuming 5 GHz, so that waits are too long rather than too short\"",
              CLOCK_ASSUMED_KHZ);
    return STATUS_NOT_FOUND;
}
