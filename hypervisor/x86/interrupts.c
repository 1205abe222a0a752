/* Interrupts of the control core: who handles which vector, and the periodic timer. */
#include "hypervisor/base/clock.h"
#include "hypervisor/base/log.h"
#include "hypervisor/x86/apic.h"
#include "hypervisor/x86/apic_registers.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/exceptions.h"
#include "hypervisor/x86/registers.h"

#define TIMER_WINDOW MILLISECONDS(5)

static struct {
    void (*handler)(void *context);
    void *context;
} handlers[256];

/* One bit per vector: the first unexpected one is worth a line, a storm is not. */
static uint32_t unexpected_logged[256 / 32];

void interrupt_register(uint8_t vector, void (*handler)(void *context), void *context)
{
    handlers[vector].context = context;
    __atomic_store_n(&handlers[vector].handler, handler, __ATOMIC_RELEASE);
}

static void log_unexpected(uint8_t vector)
{
    uint32_t bit = 1u << vector % 32;
    if ((__atomic_fetch_or(&unexpected_logged[vector / 32], bit, __ATOMIC_RELAXED) & bit) != 0)
        return;
    log_event("irq.unexpected",
              "vector=%#x core=%u message=\"nobody registered this vector; it is dropped, and "
              "so are further ones without a word\"",
              vector, cpu_current()->index);
}

void interrupt_handle(const struct trap_frame *frame)
{
    uint8_t vector = (uint8_t)frame->vector;
    cpu_current()->interrupt_count++;
    void (*handler)(void *) = __atomic_load_n(&handlers[vector].handler, __ATOMIC_ACQUIRE);
    if (handler != NULL)
        handler(handlers[vector].context);
    else if (vector != VECTOR_SPURIOUS)
        log_unexpected(vector);
    /* A spurious interrupt sets no in-service bit; an EOI would end somebody else's
     * (SDM 3A 11.9). */
    if (apic_in_service(vector))
        apic_end_of_interrupt();
}

/* Timer ticks per second at divide by 16, measured once; the crystal differs between machines. */
static uint64_t timer_rate(void)
{
    static uint64_t rate;
    if (rate != 0)
        return rate;
    apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED | VECTOR_TIMER);
    apic_write(APIC_TIMER_DIVIDE, APIC_TIMER_DIVIDE_BY_16);
    apic_write(APIC_TIMER_INITIAL, UINT32_MAX);
    uint64_t start = clock_microseconds();
    clock_delay(TIMER_WINDOW);
    uint32_t ticks = UINT32_MAX - apic_read(APIC_TIMER_CURRENT);
    uint64_t elapsed = clock_microseconds() - start;
    apic_write(APIC_TIMER_INITIAL, 0);
    rate = (uint64_t)ticks * MILLISECONDS(1000) / elapsed;
    return rate;
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
