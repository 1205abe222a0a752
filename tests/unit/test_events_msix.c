/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/pci/life.c
// SOURCES: hypervisor/vdev/virtual_bus.c hypervisor/vdev/virtual_msix.c hypervisor/assign/view.c
// SOURCES: hypervisor/base/format.c hypervisor/base/text.c hypervisor/base/string.c
// SOURCES: hypervisor/base/status.c
/* Who makes a guest's access to a page with an MSI-X table: the control core to the table, the
 * guest's own core to the registers beside it. */
#include "tests/unit/support/msix_fixture.h"

#include "hypervisor/x86/control_call.h"
#include "hypervisor/vdev/virtual_bus.h"
#include "hypervisor/vdev/ports.h"
#include "hypervisor/vdev/virtual_serial.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/x86/apic.h"
#include "hypervisor/x86/cpu.h"

/* --- what virtual_bus.c needs besides --- */

uint64_t virtual_config_read_vf(const struct guest *of, unsigned rid, unsigned offset,
                                unsigned width)
{
    return UINT64_MAX;
}

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

void *window_open(const struct memory_piece *pieces, unsigned count)
{
    return NULL;
}

void window_close(void)
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

void guest_note_end(struct guest *of, const char *reason, uint64_t exit_status)
{
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

/* --- --- */

static int prepared(void **state)
{
    fresh(state);
    calls = 0;
    control_core_dead = false;
    cores[0].guest = &guest;
    guest.assignments[0] = &device;
    guest.assignment_count = 1;
    return 0;
}

static uint64_t access_at(uint64_t address, bool is_write, uint64_t value)
{
    assert_true(virtual_bus_access(&cores[0], address, 4, is_write, &value));
    return value;
}

/* The control core may be busy for as long as it likes, and so may the register. */
static void registers_beside_the_table_need_nobody_else(void **state)
{
    control_core_dead = true;
    for (unsigned offset = VECTORS * 16; offset < PAGE_SIZE; offset += 4) {
        access_at(BAR_BASE + TABLE + offset, true, offset);
        uint64_t expected = TABLE + offset - PBA < 8 ? 0 : offset; /* pending bits are read-only */
        assert_int_equal(access_at(BAR_BASE + TABLE + offset, false, 0), expected);
    }
    assert_int_equal(calls, 0);
}

static void the_table_is_the_control_cores(void **state)
{
    for (unsigned offset = 0; offset < VECTORS * 16; offset += 4) {
        access_at(BAR_BASE + TABLE + offset, true, 1);
        access_at(BAR_BASE + TABLE + offset, false, 0);
    }
    assert_int_equal(calls, VECTORS * 16 / 4 * 2);
    control_core_dead = true;
    assert_int_equal(access_at(BAR_BASE + TABLE, false, 0), UINT64_MAX);
    assert_int_equal(host_log_count("guest.access_lost", "guest=alpha"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(registers_beside_the_table_need_nobody_else, prepared),
        cmocka_unit_test_setup(the_table_is_the_control_cores, prepared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
