/* SPDX-License-Identifier: MIT */
#include "hypervisor/x86/power.h"

#include "hypervisor/memory/address_space.h"
#include "hypervisor/setup/setup.h"
#include "hypervisor/x86/registers.h"

#define CPUID_1_ECX_HYPERVISOR BIT(31) /* reserved for hypervisors (SDM 2A, CPUID) */
#define RESET_CONTROL_PORT     0xcf9
#define RESET_CONTROL_FULL     0x08 /* the chipset's: power off and on, and memory is lost */
/* All that are written to be cleared (ACPI 4.8.3.1.1). */
#define PM1_STATUS_ALL 0xc731

enum reset_space { RESET_MEMORY = 0, RESET_PORT = 1 };

static uint16_t port(uint32_t number)
{
    return number <= UINT16_MAX ? (uint16_t)number : 0;
}

static void note(uint16_t first, unsigned count, uint8_t width, uint16_t value)
{
    for (size_t i = 0; i < POWER_EVENTS; i++)
        if (power_means.events[i].count == 0) {
            power_means.events[i] = (struct power_event){first, value, width, (uint8_t)count};
            return;
        }
}

/* A block's status registers come first, then as many that enable. The latter are written first:
 * what happens in between must not count. */
static void note_events(const struct fadt *fadt)
{
    const unsigned half = fadt->pm1_event_length / 2;
    for (size_t i = 0; i < ARRAY_SIZE(fadt->pm1_event_port); i++)
        if (fadt->pm1_event_port[i] != 0) {
            note((uint16_t)(fadt->pm1_event_port[i] + half), 1, 2, 0);
            note((uint16_t)fadt->pm1_event_port[i], 1, 2, PM1_STATUS_ALL);
        }
    for (size_t i = 0; i < ARRAY_SIZE(fadt->gpe_port); i++)
        if (fadt->gpe_port[i] != 0) {
            unsigned count = fadt->gpe_length[i] / 2;
            note((uint16_t)(fadt->gpe_port[i] + count), count, 1, 0);
            note((uint16_t)fadt->gpe_port[i], count, 1, UINT8_MAX);
        }
}

void power_init(const struct fadt *fadt, bool has_s5, uint8_t slp_typ_a, uint8_t slp_typ_b)
{
    power_means.reset_value = fadt->reset_value;
    power_means.emulator = fadt->emulator || (cpuid(1, 0).ecx & CPUID_1_ECX_HYPERVISOR) != 0;
    note_events(fadt);
    if (fadt->reset_space == RESET_PORT && fadt->reset_address <= UINT16_MAX)
        power_means.reset_port = (uint16_t)fadt->reset_address;
    else if (fadt->reset_space == RESET_MEMORY && fadt->reset_address != 0)
        power_means.reset_register = map_device(fadt->reset_address, 1);
    if (power_means.reset_port == RESET_CONTROL_PORT)
        power_means.reset_value &= (uint8_t)~RESET_CONTROL_FULL;
    power_means.smi_command_port = port(fadt->smi_command_port);
    power_means.acpi_enable = fadt->acpi_enable;
    if (!has_s5 || fadt->pm1b_control_port > UINT16_MAX)
        return;
    power_means.pm1_control_port[0] = port(fadt->pm1a_control_port);
    power_means.pm1_control_port[1] = port(fadt->pm1b_control_port);
    power_means.s5_type[0] = slp_typ_a;
    power_means.s5_type[1] = slp_typ_b;
}
