/* SPDX-License-Identifier: MIT */
/* Switching the machine off and on again. */
#pragma once

#include "hypervisor/base/core.h"

/* ACPI reset register, keyboard controller, triple fault, in this order. */
NO_RETURN void machine_reboot(void);
/* QEMU's isa-debug-exit (when `debug_exit` is not 0), ACPI S5 from the FADT/DSDT, Bochs' port
 * 0x8900; then halts. */
NO_RETURN void machine_power_off(uint8_t debug_exit);

/* What firmware's tables offer for that; 0: no such means. Written at boot. */
extern struct power_means {
    uint16_t reset_port;
    uintptr_t reset_register; /* mapped */
    uint8_t reset_value;
    uint8_t acpi_enable;
    uint16_t smi_command_port;
    uint16_t pm1_control_port[2];
    uint8_t s5_type[2]; /* SLP_TYP for each of these */
} power_means;
