/* SPDX-License-Identifier: MIT */
#include "hypervisor/x86/power.h"

#include "hypervisor/memory/address_space.h"
#include "hypervisor/setup/setup.h"

enum reset_space { RESET_MEMORY = 0, RESET_PORT = 1 };

static uint16_t port(uint32_t number)
{
    return number <= UINT16_MAX ? (uint16_t)number : 0;
}

void power_init(const struct fadt *fadt, bool has_s5, uint8_t slp_typ_a, uint8_t slp_typ_b)
{
    power_means.reset_value = fadt->reset_value;
    if (fadt->reset_space == RESET_PORT && fadt->reset_address <= UINT16_MAX)
        power_means.reset_port = (uint16_t)fadt->reset_address;
    else if (fadt->reset_space == RESET_MEMORY && fadt->reset_address != 0)
        power_means.reset_register = map_device(fadt->reset_address, 1);
    power_means.smi_command_port = port(fadt->smi_command_port);
    power_means.acpi_enable = fadt->acpi_enable;
    if (!has_s5 || fadt->pm1b_control_port > UINT16_MAX)
        return;
    power_means.pm1_control_port[0] = port(fadt->pm1a_control_port);
    power_means.pm1_control_port[1] = port(fadt->pm1b_control_port);
    power_means.s5_type[0] = slp_typ_a;
    power_means.s5_type[1] = slp_typ_b;
}
