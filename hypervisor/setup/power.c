/* SPDX-License-Identifier: MIT */
/* How the machine is reset and switched off: worked out now, so that what stays only follows it. */
#include "hypervisor/x86/power.h"

#include "hypervisor/base/clock.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/setup/setup.h"

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
#define PM1_SLEEP_TYPE(type) (((type) & UINT64_C(7)) << 10)
#define PM1_SLEEP_TYPES      BITS(12, 10)
#define PM1_SLEEP            BIT(13)
/* All that are written to be cleared (ACPI 4.8.3.1.1). */
#define PM1_STATUS_ALL 0xc731

#define EFFECT_LIMIT MILLISECONDS(500)

enum reset_space { RESET_MEMORY = 0, RESET_PORT = 1 };

static struct register_step *add(struct register_steps *steps, struct register_step step)
{
    steps->step[steps->count] = step;
    return &steps->step[steps->count++];
}

/* Bits of a port outside `keep` become those of `value`. */
static struct register_step *change_port(struct register_steps *steps, uint32_t port, uint8_t width,
                                         uint64_t keep, uint64_t value)
{
    return add(steps, (struct register_step){.address = port,
                                             .width = width,
                                             .port = true,
                                             .mask = keep & (BIT(8 * width) - 1),
                                             .value = value});
}

static struct register_step *write_port(struct register_steps *steps, uint32_t port, uint8_t width,
                                        uint64_t value)
{
    return change_port(steps, port, width, 0, value);
}

/* As long as these bits of it are `value`. */
static void wait_port(struct register_steps *steps, uint32_t port, uint8_t width, uint64_t bits,
                      uint64_t value, uint64_t limit)
{
    struct register_step *step = change_port(steps, port, width, bits, value);
    step->wait = true;
    step->time = limit;
}

static void reset_by_acpi(const struct fadt *fadt)
{
    uint64_t value = fadt->reset_value;
    if (fadt->reset_space == RESET_PORT && fadt->reset_address == RESET_CONTROL_PORT)
        value &= ~(uint64_t)RESET_CONTROL_FULL;
    if (fadt->reset_space == RESET_PORT && fadt->reset_address != 0 &&
        fadt->reset_address <= UINT16_MAX)
        write_port(&power_means.reset, (uint32_t)fadt->reset_address, 1, value)->time =
            EFFECT_LIMIT;
    if (fadt->reset_space != RESET_MEMORY || fadt->reset_address == 0)
        return;
    uintptr_t address = map_device(fadt->reset_address, 1);
    if (address != 0)
        (void)add(&power_means.reset,
                  (struct register_step){
                      .address = address, .width = 1, .value = value, .time = EFFECT_LIMIT});
}

static void reset_by_chipset(void)
{
    const uint64_t keep =
        ~(uint64_t)(RESET_CONTROL_SYSTEM | RESET_CONTROL_START | RESET_CONTROL_FULL);
    (void)change_port(&power_means.reset, RESET_CONTROL_PORT, 1, keep, RESET_CONTROL_SYSTEM);
    change_port(&power_means.reset, RESET_CONTROL_PORT, 1, keep,
                RESET_CONTROL_SYSTEM | RESET_CONTROL_START)
        ->time = EFFECT_LIMIT;
}

static void reset_by_keyboard_controller(void)
{
    wait_port(&power_means.reset, KEYBOARD_STATUS_PORT, 1, KEYBOARD_BUSY, KEYBOARD_BUSY,
              MILLISECONDS(100));
    write_port(&power_means.reset, KEYBOARD_STATUS_PORT, 1, KEYBOARD_RESET)->time = EFFECT_LIMIT;
}

static void enable_acpi_mode(const struct fadt *fadt)
{
    uint32_t control = fadt->pm1a_control_port;
    if (fadt->smi_command_port == 0 || fadt->smi_command_port > UINT16_MAX ||
        fadt->acpi_enable == 0 || (port_read16((uint16_t)control) & PM1_SCI_ENABLE) != 0)
        return;
    (void)write_port(&power_means.off, fadt->smi_command_port, 1, fadt->acpi_enable);
    wait_port(&power_means.off, control, 2, PM1_SCI_ENABLE, 0, EFFECT_LIMIT);
}

/* The first half of a block's `length` bytes has status, the second enables; `count` registers of
 * each are written. The enables are first: what happens in between must not count. */
static void silence(uint32_t status, uint8_t length, uint8_t width, unsigned count, uint64_t all)
{
    if (status == 0 || count == 0)
        return;
    write_port(&power_means.off, status + length / 2u, width, 0)->more = (uint8_t)(count - 1);
    write_port(&power_means.off, status, width, all)->more = (uint8_t)(count - 1);
}

/* ACPI 4.8.2, 4.8.4.1: an enabled event whose status is set ends the sleep. */
static void silence_events(const struct fadt *fadt)
{
    for (size_t i = 0; i < ARRAY_SIZE(fadt->pm1_event_port); i++)
        silence(fadt->pm1_event_port[i], fadt->pm1_event_length, 2, 1, PM1_STATUS_ALL);
    for (size_t i = 0; i < ARRAY_SIZE(fadt->gpe_port); i++)
        silence(fadt->gpe_port[i], fadt->gpe_length[i], 1, fadt->gpe_length[i] / 2u, UINT8_MAX);
}

/* The type first, in both registers, then the bit that starts it (ACPI 16.1.5). */
static void enter_sleep(const uint32_t ports[2], const uint8_t types[2], uint64_t start)
{
    for (unsigned i = 0; i < 2; i++)
        if (ports[i] != 0)
            (void)change_port(&power_means.off, ports[i], 2, ~(PM1_SLEEP_TYPES | PM1_SLEEP),
                              PM1_SLEEP_TYPE(types[i]) | start);
}

void power_init(const struct fadt *fadt, bool emulator, const uint8_t s5_types[2])
{
    static const char word[] = "Shutdown";
    const uint32_t ports[2] = {fadt->pm1a_control_port, fadt->pm1b_control_port};
    power_means = (struct power_means){.emulator = emulator};
    reset_by_acpi(fadt);
    reset_by_chipset();
    reset_by_keyboard_controller();
    if (s5_types != NULL && ports[0] != 0 && ports[0] <= UINT16_MAX && ports[1] <= UINT16_MAX) {
        enable_acpi_mode(fadt);
        silence_events(fadt);
        enter_sleep(ports, s5_types, 0);
        enter_sleep(ports, s5_types, PM1_SLEEP);
        power_means.off.step[power_means.off.count - 1].time = EFFECT_LIMIT;
    }
    for (size_t i = 0; emulator && i < sizeof word - 1; i++)
        (void)write_port(&power_means.off, BOCHS_SHUTDOWN_PORT, 1, (uint8_t)word[i]);
}
