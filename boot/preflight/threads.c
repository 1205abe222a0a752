/* SPDX-License-Identifier: MIT */
/* How many logical CPUs, cores and packages the MADT names. */
#include "boot/preflight/preflight.h"

#include "hypervisor/base/log.h"
#include "hypervisor/x86/cpu.h"

/* How many different values the APIC ids have without their lowest bits. */
static uint32_t distinct(const struct madt *madt, unsigned shift)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < madt->cpu_count; i++) {
        uint32_t before = 0;
        while (before < i && madt->apic_id[before] >> shift != madt->apic_id[i] >> shift)
            before++;
        count += before == i;
    }
    return count;
}

void preflight_threads(struct preflight *facts)
{
    const struct madt *madt = &facts->madt;
    uint32_t highest = 0;
    for (uint32_t i = 0; i < madt->cpu_count; i++)
        highest = MAX(highest, madt->apic_id[i]);
    uint32_t cores = facts->cores = distinct(madt, facts->smt_shift);
    log_event("cpu.threads", "enabled=%u cores=%u highest_apic_id=0x%x limit=%u", madt->cpu_count,
              cores, highest, CPU_MAX);
    if (madt->cpu_count > CPU_MAX)
        log_event("cpu.refused",
                  "name=threads value=%u message=\"more logical CPUs than Bulkhead drives; the "
                  "first %u are used\"",
                  madt->cpu_count, CPU_MAX);
    if (cores < madt->cpu_count)
        log_event("cpu.smt",
                  "threads=%u cores=%u message=\"threads of one core share caches and "
                  "buffers: switch hyper-threading off in the firmware's set-up if "
                  "guests do not trust each other\"",
                  madt->cpu_count, cores);
}
