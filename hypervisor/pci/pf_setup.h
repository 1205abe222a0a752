/* SPDX-License-Identifier: MIT */
/* What a PF driver offers at boot. All calls are made on the boot core. */
#pragma once

#include "hypervisor/pci/pf_driver.h"

struct iommu_fault;

struct pf_setup {
    const struct pf_driver *driver;
    /* True when it knows the device. */
    bool (*probe)(const struct pci_function *function);
    /* Resets the PF, lets it try a DMA that must be stopped, and tells whether it was
     * (pf_dma_test()); STATUS_DEVICE when it does not come out of a reset. Before start(); NULL:
     * whatever the PF does needs a domain that works. */
    enum status (*dma_test)(struct pf_device *device,
                            void (*others)(const struct iommu_fault *fault));
    /* Resets the PF and brings it up for `vfs` virtual functions, before VF Enable: internal
     * switch, anti-spoofing, pools, filters. Starts link negotiation and does not wait for it. */
    enum status (*start)(struct pf_device *device, uint16_t vfs);
    /* After VF Enable and the 100 ms: what must be set per VF. */
    enum status (*vfs_enabled)(struct pf_device *device);
    void (*stop)(struct pf_device *device);
};

/* NULL-terminated, in the order in which they are asked; drivers/setup/pf_drivers.c. */
extern const struct pf_setup *const pf_setups[];
