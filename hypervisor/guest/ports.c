#include "hypervisor/guest/ports.h"

#include "hypervisor/guest/guest.h"
#include "hypervisor/guest/virtual_serial.h"

#define SLEEP_ENABLE    BIT(5)
#define SLEEP_TYPE(reg) FIELD(reg, 4, 2)

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

static const struct port_rule {
    uint16_t first, last;
    unsigned widest; /* bytes; a wider access finds nothing */
    void (*access)(struct vcpu *vcpu, unsigned offset, unsigned width, bool write, uint32_t *value);
} rules[] = {
    {PORT_EXIT, PORT_EXIT, 4, access_exit},
    {PORT_SERIAL, PORT_SERIAL + 7, 1, access_serial},
    {PORT_SLEEP_CONTROL, PORT_SLEEP_STATUS, 1, access_sleep},
    {PORT_RESET, PORT_RESET, 1, access_reset},
};

bool ports_access(struct vcpu *vcpu, uint16_t port, unsigned width, bool write, uint32_t *value)
{
    if (vcpu->guest->serial == NULL)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        if (port < rules[i].first || port > rules[i].last || width > rules[i].widest)
            continue;
        rules[i].access(vcpu, (unsigned)(port - rules[i].first), width, write, value);
        return true;
    }
    return false;
}
