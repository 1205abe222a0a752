/* SPDX-License-Identifier: MIT */
/* The PF is nobody's to program (`driver = none`) or a guest's (`driver = guest NAME`): no register
 * of it is read or written here, and nothing of it is asked. A VF's own reset is all there is. */
#include "drivers/none/none.h"

#include "hypervisor/pci/function.h"

/* A reset of the PF takes its VFs off the bus; whoever wants one comes again after it. */
static enum status none_vf_reset(struct pf_device *device, uint16_t vf)
{
    if (vf >= device->vfs)
        return STATUS_INVALID;
    return device->function->in_reset ? STATUS_BUSY : STATUS_OK;
}

static bool none_service(struct pf_device *device)
{
    (void)device;
    return false;
}

const struct pf_driver none_pf_driver = {
    .vf_reset = none_vf_reset,
    .service = none_service,
};
