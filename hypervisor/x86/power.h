/* SPDX-License-Identifier: MIT */
/* Switching the machine off and on again. */
#pragma once

#include "hypervisor/x86/steps.h"

/* ACPI reset register, the chipset's (port CF9h), keyboard controller, triple fault, in this order.
 */
NO_RETURN void machine_reboot(void);
/* ACPI S5 from the FADT/DSDT; under an emulator QEMU's isa-debug-exit before (when `debug_exit` is
 * not 0), and Bochs' port 0x8900 after it; then halts. */
NO_RETURN void machine_power_off(uint8_t debug_exit);

/* What firmware's tables offer for that, as steps. Written at boot. */
extern struct power_means {
    struct register_steps reset, off;
    bool emulator; /* ports that only emulators have do nothing else */
} power_means;
