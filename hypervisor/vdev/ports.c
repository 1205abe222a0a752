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

struct access {
    unsigned offset; /* from the rule's first port */
    unsigned width;  /* bytes */
    bool write;
    uint32_t value; /* before a read all ones, as from a port that is not there */
};

/* The control core sees an end noted and takes the vCPUs back; until then the guest goes on. */
static void access_exit(struct guest *guest, struct access *access)
{
    if (access->write)
        guest_note_end(guest, "exit", access->value);
}

static void access_event(struct guest *guest, struct access *access)
{
    if (access->write)
        guest_note_event(guest, access->value);
}

static void access_serial(struct guest *guest, struct access *access)
{
    if (access->write)
        virtual_serial_write(guest->serial, access->offset, (uint8_t)access->value);
    else
        access->value = virtual_serial_read(guest->serial, access->offset);
}

/* Sleep control: S5 is the only state. Sleep status never reports a wake-up. */
static void access_sleep(struct guest *guest, struct access *access)
{
    if (!access->write)
        access->value = 0;
    else if (access->offset == 0 && (access->value & SLEEP_ENABLE) != 0 &&
             SLEEP_TYPE(access->value) == SLEEP_TYPE_S5)
        guest_note_end(guest, "exit", 0);
}

static void access_reset(struct guest *guest, struct access *access)
{
    if (!access->write)
        access->value = 0;
    else if (access->value == RESET_VALUE)
        guest_note_end(guest, "reset", 0);
}

/* The timer that is not there reads as 0. All ones, as from any other absent port, look to Linux'
 * calibration of the TSC like a counter that has not moved yet: it would read it 100,000 times. */
static void access_pit(struct guest *guest, struct access *access)
{
    (void)guest;
    access->value = 0;
}

/* The index cannot be read. */
static void access_rtc(struct guest *guest, struct access *access)
{
    if (access->write && access->offset == 0)
        __atomic_store_n(&guest->rtc_index, (uint8_t)access->value, __ATOMIC_RELAXED);
    else if (!access->write && access->offset != 0)
        access->value =
            virtual_rtc_read(__atomic_load_n(&guest->rtc_index, __ATOMIC_RELAXED), rtc_seconds());
}

/* Narrower accesses are none of the mechanism's. */
static void access_pci_address(struct guest *guest, struct access *access)
{
    if (access->width == 4 && access->write)
        __atomic_store_n(&guest->pci_address, access->value & PCI_ADDRESS_MASK, __ATOMIC_RELAXED);
    else if (access->width == 4)
        access->value = __atomic_load_n(&guest->pci_address, __ATOMIC_RELAXED);
}

static void access_pci_data(struct guest *guest, struct access *access)
{
    uint32_t address = __atomic_load_n(&guest->pci_address, __ATOMIC_RELAXED);
    uint64_t offset = FIELD(address, 15, 8) << 12 | FIELD(address, 7, 2) << 2 | access->offset;
    uint64_t data = access->value;
    if ((address & PCI_ADDRESS_ENABLE) != 0 && FIELD(address, 23, 16) == 0)
        virtual_bus_config(guest, offset, access->width, access->write, &data);
    access->value = (uint32_t)data;
}

static const struct port_rule {
    uint16_t first, last;
    unsigned widest; /* bytes; a wider access finds nothing */
    void (*access)(struct guest *guest, struct access *access);
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
        struct access access = {port - rules[i].first, width, write,
                                write ? *value : (uint32_t)(BIT(width * 8) - 1)};
        rules[i].access(vcpu->guest, &access);
        *value = access.value;
        return true;
    }
    return false;
}
