/* SPDX-License-Identifier: MIT */
/* The controllers that the driver drives. */
#include "drivers/nvme/nvme_admin.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"

#define MAX_CONTROLLERS 4

static struct nvme_controller controllers[MAX_CONTROLLERS];

struct nvme_controller *nvme_controller_of(const struct pf_device *device)
{
    for (size_t i = 0; i < MAX_CONTROLLERS; i++)
        if (controllers[i].device == device)
            return &controllers[i];
    return NULL;
}

enum status nvme_refuse(const struct nvme_controller *controller, enum status status,
                        const char *message)
{
    log_event("nvme.refused", "pf=%s status=%s message=\"%s\"",
              rid_text(controller->device->function->rid).text, status_name(status), message);
    return status;
}
