/* SPDX-License-Identifier: MIT */
/*
 * What a PF driver offers while guests run; pf_setup.h has what it does at boot. The core calls
 * these and nothing else; SR-IOV mechanics are not a driver's business. All calls are made on the
 * control core.
 */
#pragma once

#include "hypervisor/pci/sriov.h"

#define PF_MAX_VFS 64

struct pf_device {
    struct pci_function *function;
    const struct pf_driver *driver;
    uintptr_t registers; /* BAR 0, mapped */
    uint64_t registers_size;
    struct sriov sriov;
    uint16_t vfs; /* VFs in use */
    /* NVMe: the configuration accepts VFs that may manage others, which is found and answered but
     * not prevented. */
    bool unsafe_controllers;
    owner_t manager; /* driver = guest NAME: that guest, which has the PF; else OWNER_NOBODY */
    bool ends_with_manager; /* owner_lost = reset: the VFs' guests; else their VFs are blocked */
    char name[32];          /* the configuration's name, e.g. "uplink" */
};

/* Something on the device that somebody other than its owner reaches. `message`, a constant, says
 * what `where` and `value` are. */
typedef void pf_breach(void *context, uint64_t where, uint64_t value, const char *message);

struct pf_driver {
    /* VF n gets an owner or was reset: filters, mailbox and queues as after power-on. After an
     * error, which is logged, nobody gets the VF. */
    enum status (*vf_reset)(struct pf_device *device, uint16_t vf);
    /* VF n has lost its owner, after its reset: it does nothing until the next vf_reset(). NULL:
     * vf_reset() is enough. */
    void (*vf_release)(struct pf_device *device, uint16_t vf);
    /* Answers mailbox messages and reset requests; returns whether there was work. Bounded. */
    bool (*service)(struct pf_device *device);
    /* Asks the device who reaches what on it, reports what should not be so and changes nothing.
     * NULL: there is nothing to ask. */
    void (*audit)(struct pf_device *device, pf_breach *report, void *context);
};

/* For the driver, for good: the PF does not answer it any more, so nothing keeps the VFs apart.
 * guest/pf_lost.c blocks them. */
static inline void pf_lose(const struct pf_device *device)
{
    (void)!pci_life_set(device->function, PCI_LOST);
}
