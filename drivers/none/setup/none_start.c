/* SPDX-License-Identifier: MIT */
/* What a PF driver does at boot, for a PF that is not driven here: nothing. Its DMA is not tried
 * either (pf_dma_test()), which would take its registers. */
#include "drivers/none/none.h"
#include "hypervisor/pci/pf_setup.h"

/* The configuration names it; no device is its own. */
static bool none_probe(const struct pci_function *function)
{
    (void)function;
    return false;
}

static enum status none_start(struct pf_device *device, uint16_t vfs)
{
    (void)device;
    (void)vfs;
    return STATUS_OK;
}

static enum status none_vfs_enabled(struct pf_device *device)
{
    (void)device;
    return STATUS_OK;
}

static void none_stop(struct pf_device *device)
{
    (void)device;
}

const struct pf_setup none_pf_setup = {
    .driver = &none_pf_driver,
    .probe = none_probe,
    .start = none_start,
    .vfs_enabled = none_vfs_enabled,
    .stop = none_stop,
};
