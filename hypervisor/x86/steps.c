/* SPDX-License-Identifier: MIT */
#include "hypervisor/x86/steps.h"

#include "hypervisor/base/clock.h"
#include "hypervisor/base/mmio.h"

static uint64_t get(const struct register_step *step)
{
    if (step->port)
        return port_read((uint16_t)step->address, step->width);
    return mmio_read(step->address, step->width);
}

static void set(const struct register_step *step, uint64_t value)
{
    for (uintptr_t i = 0; i <= step->more; i++)
        if (step->port)
            port_write((uint16_t)(step->address + i * step->width), step->width, (uint32_t)value);
        else
            mmio_write(step->address + i * step->width, step->width, value);
    clock_delay(step->time);
}

void steps_run(const struct register_steps *steps)
{
    struct deadline end = deadline_in(0);
    bool waiting = false;
    for (unsigned i = 0; i < steps->count; i++) {
        const struct register_step *step = &steps->step[i];
        uint64_t read = step->mask != 0 ? get(step) & step->mask : 0;
        if (!step->wait) {
            set(step, read | step->value);
            continue;
        }
        if (!waiting)
            end = deadline_in(step->time);
        waiting = read == step->value && !deadline_passed(end);
        if (waiting)
            i -= step->back + 1u;
    }
}
