/* What events.c needs besides guests and devices. Static on purpose. */
#pragma once

#include <stdlib.h>

#include "tests/unit/support/host.h"

#include "hypervisor/guest/control_call.h"
#include "hypervisor/guest/events.h"
#include "hypervisor/guest/load.h"
#include "hypervisor/vdev/ports.h"
#include "hypervisor/vdev/virtual_serial.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/x86/apic.h"
#include "hypervisor/x86/cpu.h"

static unsigned calls;
static bool control_core_dead;

bool control_call(control_function *run, void *argument)
{
    calls++;
    if (control_core_dead)
        return false;
    run(argument);
    return true;
}

static struct cpu cpu = {.index = 1};

struct cpu *cpu_current(void)
{
    return &cpu;
}

struct cpu *cpu_at(uint32_t index)
{
    return &cpu;
}

void cpu_wait(void)
{
}

void cpu_halt_forever(void)
{
    abort();
}

const struct vcpu_backend *vcpu_selected;

void vcpu_run(struct vcpu *vcpu)
{
}

void vcpu_interrupt(struct vcpu *target, uint64_t icr)
{
}

bool icr_addresses(uint64_t icr, uint32_t sender, uint32_t apic_id)
{
    return false;
}

bool apic_send(uint32_t destination, uint32_t command)
{
    return true;
}

void *window_open(uint64_t base, uint64_t size)
{
    return NULL;
}

void window_close(void)
{
}

void log_start_core(void)
{
}

uint64_t virtual_serial_accesses(struct virtual_serial *serial)
{
    return 0;
}

uint64_t guest_exits(const struct guest *of)
{
    return 0;
}

static unsigned ends, refusals;

void guest_note_end(struct guest *of, const char *reason, uint64_t exit_status)
{
    ends++;
}

void load_refused(const struct guest *of, const struct abi_refusal *refusal)
{
    refusals++;
}

bool ports_access(struct vcpu *vcpu, uint16_t port, unsigned width, bool write, uint32_t *value)
{
    return false;
}

enum status page_table_allow_execute(struct page_table *table, uint64_t address)
{
    return STATUS_OK;
}

uint32_t virtual_config_read(const struct assignment *of, unsigned offset, unsigned width)
{
    return 0;
}

void virtual_config_write(struct assignment *of, unsigned offset, unsigned width, uint32_t value)
{
}
