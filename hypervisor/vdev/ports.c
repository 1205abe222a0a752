/* SPDX-License-Identifier: MIT */
#include "hypervisor/vdev/ports.h"

#include "hypervisor/vdev/calls.h"
#include "hypervisor/vdev/virtual_bus.h"
#include "hypervisor/vdev/virtual_rtc.h"
#include "hypervisor/vdev/virtual_serial.h"
#include "hypervisor/x86/rtc.h"

#define SLEEP_ENABLE       BIT(5)
#define SLEEP_TYPE(reg)    FIELD(reg, 4, 2)
#define PCI_ADDRESS_ENABLE BIT(31)
#define PCI_ADDRESS_MASK   0x80fffffcu

/* The control core sees the end noted and takes the vCPUs back; until then the guest goes on. */
static void end(struct vcpu *vcpu, const char *reason, uint64_t status)
{
    guest_note_end(vcpu->guest, reason, status);
}

static void access_exit(struct vcpu *vcpu, unsigned offset, unsigned width, bool write,
                        uint32_t *value)
{
    (void)offset, (void)width;
    if (write)
        end(vcpu, "exit", *value);
    else
        *value = UINT32_MAX;
}

static void access_event(struct vcpu *vcpu, unsigned offset, unsigned width, bool write,
                         uint32_t *value)
{
    (void)offset, (void)width;
    if (write)
        guest_note_event(vcpu->guest, *value);
    else
        *value = UINT32_MAX;
}

static void access_serial(struct vcpu *vcpu, unsigned offset, unsigned width, bool write,
                          uint32_t *value)
{
    (void)width;
    if (write)
        virtual_serial_write(vcpu->guest->serial, offset, (uint8_t)*value);
    else
        *value = virtual_serial_read(vcpu->guest->serial, offset);
}

/* Sleep control: S5 is the only state. Sleep status never reports a wake-up. */
static void access_sleep(struct vcpu *vcpu, unsigned offset, unsigned width, bool write,
                         uint32_t *value)
{
    (void)width;
    if (!write)
        *value = 0;
    else if (offset == 0 && (*value & SLEEP_ENABLE) != 0 && SLEEP_TYPE(*value) == SLEEP_TYPE_S5)
        end(vcpu, "exit", 0);
}

static void access_reset(struct vcpu *vcpu, unsigned offset, unsigned width, bool write,
                         uint32_t *value)
{
    (void)offset, (void)width;
    if (!write)
        *value = 0;
    else if (*value == RESET_VALUE)
        end(vcpu, "reset", 0);
}

/* The timer that is not there reads as 0. All ones, as from any other absent port, look to Linux'
 * calibration of the TSC like a counter that has not moved yet: it would read it 100,000 times. */
static void access_pit(struct vcpu *vcpu, unsigned offset, unsigned width, bool write,
                       uint32_t *value)
{
    (void)vcpu, (void)offset, (void)width;
    if (!write)
        *value = 0;
}

static void access_rtc(struct vcpu *vcpu, unsigned offset, unsigned width, bool write,
                       uint32_t *value)
{
    (void)width;
    if (!write)
        *value = offset == 0
                     ? UINT8_MAX /* cannot be read */
                     : virtual_rtc_read(__atomic_load_n(&vcpu->guest->rtc_index, __ATOMIC_RELAXED),
                                        rtc_seconds());
    else if (offset == 0)
        __atomic_store_n(&vcpu->guest->rtc_index, (uint8_t)*value, __ATOMIC_RELAXED);
}

static void access_pci_address(struct vcpu *vcpu, unsigned offset, unsigned width, bool write,
                               uint32_t *value)
{
    (void)offset;
    if (width != 4)
        *value = UINT32_MAX; /* narrower accesses are none of the mechanism's */
    else if (write)
        __atomic_store_n(&vcpu->guest->pci_address, *value & PCI_ADDRESS_MASK, __ATOMIC_RELAXED);
    else
        *value = __atomic_load_n(&vcpu->guest->pci_address, __ATOMIC_RELAXED);
}

static void access_pci_data(struct vcpu *vcpu, unsigned offset, unsigned width, bool write,
                            uint32_t *value)
{
    uint32_t address = __atomic_load_n(&vcpu->guest->pci_address, __ATOMIC_RELAXED);
    uint64_t data = write ? *value : UINT64_MAX;
    if ((address & PCI_ADDRESS_ENABLE) != 0 && FIELD(address, 23, 16) == 0)
        virtual_bus_config(vcpu->guest,
                           FIELD(address, 15, 8) << 12 | FIELD(address, 7, 2) << 2 | offset, width,
                           write, &data);
    if (!write)
        *value = (uint32_t)data;
}

static const struct port_rule {
    uint16_t first, last;
    unsigned widest; /* bytes; a wider access finds nothing */
    void (*access)(struct vcpu *vcpu, unsigned offset, unsigned width, bool write, uint32_t *value);
} rules[] = {
    {PORT_PIT, PORT_PIT + 3, 1, access_pit},
    {PORT_RTC_INDEX, PORT_RTC_DATA, 1, access_rtc},
    {PORT_EXIT, PORT_EXIT, 4, access_exit},
    {PORT_EVENT, PORT_EVENT, 1, access_event},
    {PORT_SERIAL, PORT_SERIAL + 7, 1, access_serial},
    {PORT_SLEEP_CONTROL, PORT_SLEEP_STATUS, 1, access_sleep},
    {PORT_RESET, PORT_RESET, 1, access_reset},
    {PORT_PCI_ADDRESS, PORT_PCI_ADDRESS, 4, access_pci_address},
    {PORT_PCI_DATA, PORT_PCI_DATA + 3, 4, access_pci_data},
};

bool ports_access(struct vcpu *vcpu, uint16_t port, unsigned width, bool write, uint32_t *value)
{
    if (!vcpu->guest->ports)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        if (port < rules[i].first || port > rules[i].last || width > rules[i].widest)
            continue;
        rules[i].access(vcpu, (unsigned)(port - rules[i].first), width, write, value);
        return true;
    }
    return false;
}
