/* SPDX-License-Identifier: MIT */
/* Switching the machine off and on again. */
#pragma once

#include "hypervisor/base/core.h"

/* ACPI reset register, the chipset's (port CF9h), keyboard controller, triple fault, in this order.
 */
NO_RETURN void machine_reboot(void);
/* ACPI S5 from the FADT/DSDT; under an emulator QEMU's isa-debug-exit before (when `debug_exit` is
 * not 0), and Bochs' port 0x8900 after it; then halts. */
NO_RETURN void machine_power_off(uint8_t debug_exit);

#define POWER_EVENTS 8
/* What firmware's tables offer for that; 0: no such means. Written at boot. */
extern struct power_means {
    uint16_t reset_port;
    uintptr_t reset_register; /* mapped */
    uint8_t reset_value;
    uint8_t acpi_enable;
    uint16_t smi_command_port;
    uint16_t pm1_control_port[2];
    uint8_t s5_type[2]; /* SLP_TYP for each of these */
    bool emulator;      /* ports that only emulators have do nothing else */
    /* What would wake the machine at once: `count` registers of one or two bytes from a port on,
     * and what is written to them before it sleeps. */
    struct power_event {
        uint16_t port, value;
        uint8_t width, count;
    } events[POWER_EVENTS];
} power_means;
