/* Switching the machine off and on again. */
#include "hypervisor/base/clock.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/registers.h"

#define DEBUG_EXIT_PORT      0xf4   /* QEMU isa-debug-exit */
#define BOCHS_SHUTDOWN_PORT  0x8900 /* Bochs: "Shutdown", byte by byte */
#define KEYBOARD_STATUS_PORT 0x64
#define KEYBOARD_BUSY        0x02
#define KEYBOARD_RESET       0xfe

/* PM1 control register (ACPI 4.8.3.2.1). */
#define PM1_SCI_ENABLE       BIT(0)
#define PM1_SLEEP_TYPE(type) ((uint16_t)(((type) & 7u) << 10))
#define PM1_SLEEP_TYPES      ((uint16_t)BITS(12, 10))
#define PM1_SLEEP            ((uint16_t)BIT(13))

enum reset_space { RESET_MEMORY = 0, RESET_PORT = 1 };

#define EFFECT_LIMIT MILLISECONDS(500)

static struct fadt tables; /* all zero, no reset register: nothing is known */
static bool tables_known;
static bool s5_known;
static uint8_t s5_types[2];
static uintptr_t reset_register;

void power_init(const struct fadt *fadt, bool has_s5, uint8_t slp_typ_a, uint8_t slp_typ_b)
{
    if (fadt == NULL)
        return;
    tables = *fadt;
    tables_known = true;
    s5_known = has_s5;
    s5_types[0] = slp_typ_a;
    s5_types[1] = slp_typ_b;
    if (fadt->reset_space == RESET_MEMORY && fadt->reset_address != 0)
        reset_register = map_device(fadt->reset_address, 1);
}

static void reset_by_acpi(void)
{
    if (!tables_known || tables.reset_address == 0)
        return;
    if (tables.reset_space == RESET_PORT && tables.reset_address <= UINT16_MAX)
        port_write8((uint16_t)tables.reset_address, tables.reset_value);
    else if (tables.reset_space == RESET_MEMORY && reset_register != 0)
        mmio_write8(reset_register, tables.reset_value);
    else
        return;
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
    reset_by_keyboard_controller();
    reset_by_triple_fault();
}

static void enable_acpi_mode(uint16_t control)
{
    if ((port_read16(control) & PM1_SCI_ENABLE) != 0 || tables.smi_command_port == 0 ||
        tables.smi_command_port > UINT16_MAX || tables.acpi_enable == 0)
        return;
    port_write8((uint16_t)tables.smi_command_port, tables.acpi_enable);
    (void)WAIT_UNTIL((port_read16(control) & PM1_SCI_ENABLE) != 0, EFFECT_LIMIT);
}

static void power_off_by_acpi(void)
{
    uint32_t ports[2] = {tables.pm1a_control_port, tables.pm1b_control_port};
    if (!s5_known || ports[0] == 0 || ports[0] > UINT16_MAX || ports[1] > UINT16_MAX)
        return;
    enable_acpi_mode((uint16_t)ports[0]);
    /* The type first, in both, then the bit that starts it (ACPI 16.1.5). */
    uint16_t values[2] = {0, 0};
    for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
        if (ports[i] == 0)
            continue;
        values[i] = (uint16_t)((port_read16((uint16_t)ports[i]) & ~(PM1_SLEEP_TYPES | PM1_SLEEP)) |
                               PM1_SLEEP_TYPE(s5_types[i]));
        port_write16((uint16_t)ports[i], values[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
        if (ports[i] != 0)
            port_write16((uint16_t)ports[i], values[i] | PM1_SLEEP);
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
    if (debug_exit != 0)
        port_write8(DEBUG_EXIT_PORT, debug_exit);
    power_off_by_acpi();
    power_off_bochs();
    log_event("power.off-failed",
              "message=\"this machine does not switch itself off; it is safe to do so by hand\"");
    cpu_halt_forever();
}
