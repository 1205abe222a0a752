/* SPDX-License-Identifier: MIT */
#include "hypervisor/x86/apic.h"

#include "hypervisor/base/clock.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/x86/apic_registers.h"
#include "hypervisor/x86/exceptions.h"
#include "hypervisor/x86/interrupts.h"
#include "hypervisor/x86/registers.h"

struct apic_mode apic_mode;

uint32_t apic_read(enum apic_register offset)
{
    if (apic_mode.x2apic)
        return (uint32_t)msr_read(MSR_X2APIC_FIRST + offset / 16);
    return mmio_read32(apic_mode.registers + offset);
}

void apic_write(enum apic_register offset, uint32_t value)
{
    if (apic_mode.x2apic)
        msr_write(MSR_X2APIC_FIRST + offset / 16, value);
    else
        mmio_write32(apic_mode.registers + offset, value);
}

uint32_t apic_id(void)
{
    uint32_t id = apic_read(APIC_ID);
    return apic_mode.x2apic ? id : id >> 24;
}

void apic_end_of_interrupt(void)
{
    apic_write(APIC_EOI, 0);
}

bool apic_in_service(uint8_t vector)
{
    return (apic_read(APIC_ISR + vector / 32 * 16u) >> vector % 32 & 1) != 0;
}

/* Vectors 0 to 15 do not count: they are illegal, and an emulated APIC that accepts one all the
 * same (by SELF IPI) keeps it pending and never delivers it. */
static bool any_bit(enum apic_register first)
{
    uint32_t all = apic_read(first) & ~UINT32_C(0xffff);
    for (unsigned i = 1; i < 8; i++)
        all |= apic_read(first + i * 16);
    return all != 0;
}

/* SDM 3A 11.5.1: entries by their index; which there are depends on the highest one's (version
 * 23:16). */
static void mask_local_vectors(void)
{
    static const enum apic_register entries[] = {
        APIC_LVT_TIMER,   APIC_LVT_LINT0,   APIC_LVT_LINT1, APIC_LVT_ERROR,
        APIC_LVT_COUNTER, APIC_LVT_THERMAL, APIC_LVT_CMCI,
    };
    unsigned highest = (unsigned)FIELD(apic_read(APIC_VERSION), 23, 16);
    for (size_t i = 0; i < ARRAY_SIZE(entries) && i <= highest; i++)
        apic_write(entries[i], APIC_LVT_MASKED);
    if (apic_mode.thermal != 0)
        apic_write(APIC_LVT_THERMAL, apic_mode.thermal);
}

static void stop_timer(void)
{
    apic_write(APIC_TIMER_INITIAL, 0);
    if ((cpuid(1, 0).ecx & BIT(24)) != 0)
        (void)!msr_write_safe(MSR_TSC_DEADLINE, 0); /* CPUID lists it */
}

void apic_quiesce(void)
{
    apic_write(APIC_SPURIOUS, APIC_SPURIOUS_ENABLE | VECTOR_SPURIOUS);
    stop_timer();
    mask_local_vectors();
    apic_write(APIC_TPR, 0);
    apic_write(APIC_TIMER_DIVIDE, 0);

    /* Each EOI retires the highest vector in service, and there are 256. */
    for (unsigned i = 0; i < 256 && any_bit(APIC_ISR); i++)
        apic_end_of_interrupt();

    /* A pending interrupt can only be removed by taking it. */
    bool drained = WAIT_UNTIL((interrupts_discard(), !any_bit(APIC_IRR)), MILLISECONDS(100));
    if (!drained)
        log_event("cpu.irq-pending",
                  "apic=%u message=\"interrupts keep arriving at this core after its guest ended; "
                  "a device still sends to it\"",
                  apic_id());

    /* Two writes: the first latches what was pending, the second clears it (SDM 3A 11.5.3). */
    apic_write(APIC_ERROR_STATUS, 0);
    apic_write(APIC_ERROR_STATUS, 0);
    apic_write(APIC_TPR, APIC_TPR_EXCEPTIONS);
}

void apic_open(void)
{
    apic_write(APIC_TPR, 0);
    if (apic_mode.thermal != 0)
        apic_write(APIC_LVT_THERMAL, APIC_LVT_MASKED);
    interrupts_discard();
}

static bool xapic_idle(void)
{
    return (apic_read(APIC_COMMAND_LOW) & APIC_COMMAND_PENDING) == 0;
}

bool apic_send(uint32_t destination, uint32_t command)
{
    /* Stores that the receiver is to see come first: an x2APIC write orders nothing by itself
     * (SDM 3A 11.12.3). */
    __asm__ volatile("mfence; lfence" ::: "memory");
    if (apic_mode.x2apic) {
        msr_write(MSR_X2APIC_ICR, (uint64_t)destination << 32 | command);
        return true;
    }
    if (destination > 0xff)
        return false;
    /* An interrupt handler that sends between the two halves would change the destination. */
    bool were_enabled = interrupts_disable();
    bool idle = WAIT_UNTIL(xapic_idle(), MILLISECONDS(100));
    if (idle) {
        apic_write(APIC_COMMAND_HIGH, destination << 24);
        apic_write(APIC_COMMAND_LOW, command);
    }
    interrupts_restore(were_enabled);
    return idle;
}
