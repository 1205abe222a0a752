/* SPDX-License-Identifier: MIT */
#include "hypervisor/vdev/virtual_bus.h"

#include "hypervisor/base/log.h"
#include "hypervisor/vdev/virtual_config.h"
#include "hypervisor/vdev/virtual_msix.h"
#include "hypervisor/x86/control_call.h"

struct access {
    struct assignment *assignment;
    uint64_t address; /* guest-physical, or the configuration offset */
    unsigned width;
    bool write;
    uint64_t value;
};

static void config_write(void *argument)
{
    struct access *access = argument;
    virtual_config_write(access->assignment, (unsigned)access->address, access->width,
                         (uint32_t)access->value);
}

static void msix_access(void *argument)
{
    struct access *access = argument;
    if (access->write)
        virtual_msix_write(access->assignment, access->address, access->width, access->value);
    else
        access->value = virtual_msix_read(access->assignment, access->address, access->width);
}

/* A vCPU whose control call was not taken carries on: reads give all ones, as from a dead device.
 */
static void ask_control_core(control_function *function, struct access *access)
{
    if (control_call(function, access))
        return;
    access->value = ~UINT64_C(0);
    log_event("guest.access_lost",
              "guest=%s address=%#lx message=\"the control core did not answer\"",
              access->assignment->guest->name, access->address);
}

void virtual_bus_config(struct guest *guest, uint64_t offset, unsigned width, bool write,
                        uint64_t *value)
{
    unsigned rid = (unsigned)FIELD(offset, 19, 12), number = (unsigned)FIELD(offset, 11, 0);
    struct assignment *assignment = rid % 8 == 0 ? assignment_in_slot(guest, rid / 8) : NULL;
    bool possible = width <= 4 && IS_ALIGNED(number, width);
    if (!write) {
        *value = !possible            ? ~UINT64_C(0)
                 : assignment != NULL ? virtual_config_read(assignment, number, width)
                                      : virtual_config_read_vf(guest, rid, number, width);
    } else if (possible && assignment != NULL) {
        struct access access = {assignment, number, width, true, *value};
        ask_control_core(config_write, &access);
    }
}

bool virtual_bus_access(struct vcpu *vcpu, uint64_t address, unsigned width, bool write,
                        uint64_t *value)
{
    struct guest *guest = vcpu->guest;
    if (address >= GUEST_ECAM_BASE && address - GUEST_ECAM_BASE < GUEST_ECAM_SIZE) {
        virtual_bus_config(guest, address - GUEST_ECAM_BASE, width, write, value);
        return true;
    }
    for (unsigned i = 0; i < guest->assignment_count; i++) {
        if (!virtual_msix_covers(guest->assignments[i], address))
            continue;
        struct access access = {guest->assignments[i], address, width, write, *value};
        /* The device stays this guest's for as long as this core is in the exit: guest_hold(). */
        if (virtual_msix_passes(access.assignment, address))
            msix_access(&access);
        else
            ask_control_core(msix_access, &access);
        *value = access.value;
        return true;
    }
    /* A driver that has not noticed yet that its device was pulled finds nobody on the bus. */
    const struct guest_bar_window *window = guest_bar_window(guest, address);
    if (address < window->base || address >= window->pulled_end)
        return false;
    *value = UINT64_MAX;
    return true;
}
