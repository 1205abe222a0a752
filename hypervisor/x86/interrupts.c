/* SPDX-License-Identifier: MIT */
/* Who handles which vector. */
#include "hypervisor/x86/interrupts.h"

#include "hypervisor/base/log.h"
#include "hypervisor/x86/apic.h"
#include "hypervisor/x86/apic_registers.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/exceptions.h"

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
              "vector=%#x core=%u message=\"no handler for this vector; dropped, and later ones "
              "will be dropped without a log line\"",
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
