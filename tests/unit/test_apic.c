/* SPDX-License-Identifier: MIT */
// The local APIC's entries before, between and after guests, against an array of registers.
// SOURCES: hypervisor/x86/apic.c hypervisor/setup/apic.c hypervisor/acpi/madt.c
// SOURCES: hypervisor/acpi/table.c
#include <string.h>

#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/setup/cpu.h"
#include "hypervisor/x86/apic.h"
#include "hypervisor/x86/apic_registers.h"
#include "hypervisor/x86/core_state.h"
#include "hypervisor/x86/exceptions.h"
#include "tests/unit/support/host.h"

static uint32_t registers[0x400]; /* by offset: one in sixteen bytes */
static unsigned discarded;
struct core_states core_states;

/* In xAPIC mode registers are memory. */
uint32_t mmio_read32(uintptr_t address)
{
    return registers[address & 0xfff];
}

void mmio_write32(uintptr_t address, uint32_t value)
{
    registers[address & 0xfff] = value;
}

bool msr_write_safe(uint32_t msr, uint64_t value)
{
    assert_int_equal(msr, MSR_TSC_DEADLINE);
    return true;
}

void interrupts_discard(void)
{
    /* A guest must not find an entry that is firmware's. */
    discarded++;
}

bool interrupts_disable(void)
{
    return false;
}

void interrupts_restore(bool were_enabled)
{
}

struct cpu *cpu_current(void)
{
    return &core_states.cpus[0];
}

uintptr_t map_device(uint64_t physical, uint64_t size)
{
    return 0;
}

static int fresh(void **state)
{
    memset(registers, 0, sizeof registers);
    registers[APIC_VERSION] = 6u << 16 | 0x15;
    for (uint32_t offset = APIC_LVT_TIMER; offset <= APIC_LVT_ERROR; offset += 0x10)
        registers[offset] = 0x31;
    apic_mode = (struct apic_mode){.registers = 0xfee00000};
    core_states.cpus[0].apic_id = 7;
    discarded = 0;
    host_log_clear();
    return 0;
}

static void firmwares_thermal_entry(void **state)
{
    registers[APIC_LVT_THERMAL] = APIC_LVT_SMI;
    apic_keep_thermal();
    apic_quiesce();
    assert_int_equal(registers[APIC_LVT_THERMAL], APIC_LVT_SMI);
    assert_int_equal(registers[APIC_LVT_COUNTER], APIC_LVT_MASKED);
    apic_open(); /* a guest comes */
    assert_int_equal(registers[APIC_LVT_THERMAL], APIC_LVT_MASKED);
    registers[APIC_LVT_THERMAL] = 0x31;
    apic_quiesce(); /* and has gone */
    assert_int_equal(registers[APIC_LVT_THERMAL], APIC_LVT_SMI);
    /* Another core, on which firmware left it masked. */
    registers[APIC_LVT_THERMAL] = APIC_LVT_MASKED;
    apic_quiesce();
    assert_int_equal(registers[APIC_LVT_THERMAL], APIC_LVT_SMI);
    apic_connect(&(struct madt){0});
    assert_int_equal(host_log_count("apic.thermal", NULL), 1);
}

/* Masked, for an operating system's handler, an NMI, or not there: nobody's. */
static void other_thermal_entries(void **state)
{
    static const uint32_t entries[] = {APIC_LVT_MASKED, APIC_LVT_SMI | APIC_LVT_MASKED, 0xfa,
                                       APIC_LVT_NMI, 0x700};
    for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
        fresh(NULL);
        registers[APIC_LVT_THERMAL] = entries[i];
        apic_keep_thermal();
        apic_quiesce();
        assert_int_equal(registers[APIC_LVT_THERMAL], APIC_LVT_MASKED);
    }
    fresh(NULL);
    registers[APIC_VERSION] = 4u << 16;
    registers[APIC_LVT_THERMAL] = APIC_LVT_SMI;
    apic_keep_thermal();
    assert_int_equal(apic_mode.thermal, 0);
    apic_connect(&(struct madt){0});
    assert_int_equal(host_log_count("apic.thermal", NULL), 0);
}

static void the_nmi_line(void **state)
{
    struct madt madt = {.cpu_count = 2, .apic_id = {3, 7}, .uid = {0, 1}, .nmi_count = 2};
    madt.nmi[0] = (struct madt_nmi){.uid = 0, .pin = 0};
    madt.nmi[1] = (struct madt_nmi){.uid = 1, .pin = 1, .active_low = true};
    apic_quiesce();
    apic_connect(&madt);
    assert_int_equal(registers[APIC_LVT_LINT0], APIC_LVT_MASKED);
    assert_int_equal(registers[APIC_LVT_LINT1], APIC_LVT_NMI | APIC_LVT_ACTIVE_LOW);
    assert_int_equal(host_log_count("nmi.connected", "pin=LINT1"), 1);
    apic_quiesce(); /* as on the other cores: theirs are guests' */
    assert_int_equal(registers[APIC_LVT_LINT1], APIC_LVT_MASKED);
    madt.nmi[0] = (struct madt_nmi){.all = true, .pin = 0};
    apic_connect(&madt);
    assert_int_equal(registers[APIC_LVT_LINT0], APIC_LVT_NMI);
    fresh(NULL);
    madt.nmi_count = 0;
    apic_quiesce();
    apic_connect(&madt);
    assert_int_equal(registers[APIC_LVT_LINT1], APIC_LVT_MASKED);
    assert_int_equal(host_log_count("nmi.connected", NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(firmwares_thermal_entry, fresh),
        cmocka_unit_test_setup(other_thermal_entries, fresh),
        cmocka_unit_test_setup(the_nmi_line, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
