/* SPDX-License-Identifier: MIT */
#include "hypervisor/x86/crash_store.h"

#include "hypervisor/base/clock.h"
#include "hypervisor/base/log_ring.h"
#include "hypervisor/base/mmio.h"

#define STORE_LIMIT MILLISECONDS(2000)

struct crash_store crash_store;

static uint64_t get(const struct crash_store_step *step)
{
    if (step->port)
        return step->width == 1 ? port_read8((uint16_t)step->address)
                                : port_read32((uint16_t)step->address);
    return step->width == 4 ? mmio_read32(step->address) : mmio_read64(step->address);
}

static void set(const struct crash_store_step *step, uint64_t value)
{
    if (step->port && step->width == 1)
        port_write8((uint16_t)step->address, (uint8_t)value);
    else if (step->port)
        port_write32((uint16_t)step->address, (uint32_t)value);
    else if (step->width == 4)
        mmio_write32(step->address, (uint32_t)value);
    else
        mmio_write64(step->address, value);
}

void crash_store_write(void)
{
    static bool written;
    if (crash_store.log == NULL || __atomic_exchange_n(&written, true, __ATOMIC_RELAXED))
        return;
    size_t first = log_history.written + log_history.count - crash_store.words;
    for (size_t i = 0; i < crash_store.words; i++)
        crash_store.log[i] = log_history.words[(first + i) % log_history.count];
    const struct deadline end = deadline_in(STORE_LIMIT);
    for (unsigned i = 0; i < crash_store.count; i++) {
        const struct crash_store_step *step = &crash_store.steps[i];
        uint64_t read = step->mask != 0 ? get(step) & step->mask : 0;
        if (!step->wait)
            set(step, read | step->value);
        else if (read == step->value && !deadline_passed(end))
            i -= step->back + 1u;
    }
}
