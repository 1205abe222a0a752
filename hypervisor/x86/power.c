/* SPDX-License-Identifier: MIT */
#include "hypervisor/x86/power.h"

#include "hypervisor/base/log.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/x86/cpu.h"

#define DEBUG_EXIT_PORT 0xf4 /* QEMU isa-debug-exit */

struct power_means power_means;

static NO_RETURN void reset_by_triple_fault(void)
{
    static const struct {
        uint16_t limit;
        uint64_t base;
    } PACKED nothing;
    __asm__ volatile("lidt %0; ud2" : : "m"(nothing));
    cpu_halt_forever();
}

void machine_reboot(void)
{
    (void)!interrupts_disable();
    log_flush();
    steps_run(&power_means.reset);
    reset_by_triple_fault();
}

void machine_power_off(uint8_t debug_exit)
{
    (void)!interrupts_disable();
    log_flush();
    if (debug_exit != 0 && power_means.emulator)
        port_write8(DEBUG_EXIT_PORT, debug_exit);
    steps_run(&power_means.off);
    log_event(
        "power.off-failed",
        "message=\"this machine cannot switch itself off; it is safe to switch it off by hand\"");
    cpu_halt_forever();
}
