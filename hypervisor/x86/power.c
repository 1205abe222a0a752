/* SPDX-License-Identifier: MIT */
#include "hypervisor/x86/power.h"

#include "hypervisor/base/clock.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/registers.h"

#define DEBUG_EXIT_PORT      0xf4   /* QEMU isa-debug-exit */
#define BOCHS_SHUTDOWN_PORT  0x8900 /* Bochs: "Shutdown", byte by byte */
#define KEYBOARD_STATUS_PORT 0x64
#define KEYBOARD_BUSY        0x02
#define KEYBOARD_RESET       0xfe
#define RESET_CONTROL_PORT   0xcf9 /* of the chipset, also AMD's */
#define RESET_CONTROL_SYSTEM 0x02  /* which reset; it begins when the next bit is set */
#define RESET_CONTROL_START  0x04
#define RESET_CONTROL_FULL   0x08 /* a power cycle: memory would be lost */

/* PM1 control register (ACPI 4.8.3.2.1). */
#define PM1_SCI_ENABLE       BIT(0)
#define PM1_SLEEP_TYPE(type) ((uint16_t)(((type) & 7u) << 10))
#define PM1_SLEEP_TYPES      ((uint16_t)BITS(12, 10))
#define PM1_SLEEP            ((uint16_t)BIT(13))

#define EFFECT_LIMIT MILLISECONDS(500)

struct power_means power_means;

static void reset_by_acpi(void)
{
    if (power_means.reset_port != 0)
        port_write8(power_means.reset_port, power_means.reset_value);
    else if (power_means.reset_register != 0)
        mmio_write8(power_means.reset_register, power_means.reset_value);
    else
        return;
    clock_delay(EFFECT_LIMIT);
}

static void reset_by_chipset(void)
{
    uint8_t control = port_read8(RESET_CONTROL_PORT);
    control &= (uint8_t)~(RESET_CONTROL_SYSTEM | RESET_CONTROL_START | RESET_CONTROL_FULL);
    port_write8(RESET_CONTROL_PORT, control | RESET_CONTROL_SYSTEM);
    port_write8(RESET_CONTROL_PORT, control | RESET_CONTROL_SYSTEM | RESET_CONTROL_START);
    clock_delay(EFFECT_LIMIT);
}

static void reset_by_keyboard_controller(void)
{
    (void)WAIT_UNTIL((port_read8(KEYBOARD_STATUS_PORT) & KEYBOARD_BUSY) == 0, MILLISECONDS(100));
    port_write8(KEYBOARD_STATUS_PORT, KEYBOARD_RESET);
    clock_delay(EFFECT_LIMIT);
}

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
    reset_by_acpi();
    reset_by_chipset();
    reset_by_keyboard_controller();
    reset_by_triple_fault();
}

static void enable_acpi_mode(uint16_t control)
{
    if ((port_read16(control) & PM1_SCI_ENABLE) != 0 || power_means.smi_command_port == 0 ||
        power_means.acpi_enable == 0)
        return;
    port_write8(power_means.smi_command_port, power_means.acpi_enable);
    (void)WAIT_UNTIL((port_read16(control) & PM1_SCI_ENABLE) != 0, EFFECT_LIMIT);
}

/* ACPI 4.8.2, 4.8.4.1: an enabled event whose status is set ends the sleep. */
static void silence_events(void)
{
    for (size_t i = 0; i < POWER_EVENTS; i++) {
        const struct power_event *event = &power_means.events[i];
        for (uint16_t at = 0; at < event->count; at++)
            if (event->width == 2)
                port_write16((uint16_t)(event->port + 2 * at), event->value);
            else
                port_write8((uint16_t)(event->port + at), (uint8_t)event->value);
    }
}

static void power_off_by_acpi(void)
{
    const uint16_t *ports = power_means.pm1_control_port;
    if (ports[0] == 0)
        return;
    enable_acpi_mode(ports[0]);
    silence_events();
    /* The type first, in both, then the bit that starts it (ACPI 16.1.5). */
    uint16_t values[2] = {0, 0};
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        if (ports[i] == 0)
            continue;
        values[i] = (uint16_t)((port_read16(ports[i]) & ~(PM1_SLEEP_TYPES | PM1_SLEEP)) |
                               PM1_SLEEP_TYPE(power_means.s5_type[i]));
        port_write16(ports[i], values[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        if (ports[i] != 0)
            port_write16(ports[i], values[i] | PM1_SLEEP);
    clock_delay(EFFECT_LIMIT);
}

static void power_off_bochs(void)
{
    static const char word[] = "Shutdown";
    for (size_t i = 0; i < sizeof word - 1; i++)
        port_write8(BOCHS_SHUTDOWN_PORT, (uint8_t)word[i]);
}

void machine_power_off(uint8_t debug_exit)
{
    (void)!interrupts_disable();
    log_flush();
    if (debug_exit != 0 && power_means.emulator)
        port_write8(DEBUG_EXIT_PORT, debug_exit);
    power_off_by_acpi();
    if (power_means.emulator)
        power_off_bochs();
    log_event(
        "power.off-failed",
        "message=\"this machine cannot switch itself off; it is safe to switch it off by hand\"");
    cpu_halt_forever();
}
