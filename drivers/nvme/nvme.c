/* SPDX-License-Identifier: MIT */
/*
 * The primary controller of an NVMe device with SR-IOV while its VFs are in use: their secondary
 * controllers online and offline, and the namespaces watched (NVM Express Base 2.0, 8.26 and 8.11).
 * The PF's only DMA is that of its admin queue.
 */
#include "drivers/nvme/nvme.h"

#include "drivers/nvme/nvme_admin.h"
#include "hypervisor/base/clock.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"

#define WATCH_INTERVAL MILLISECONDS(50)

void nvme_report_vf(const struct nvme_controller *controller, uint16_t index, const char *event,
                    enum status status, const char *message)
{
    log_event(event, "pf=%s vf=%u controller=%u namespace=%u status=%s message=\"%s\"",
              rid_text(controller->device->function->rid).text, index,
              controller->vf[index].controller, controller->vf[index].namespace,
              status_name(status), message);
}

static enum status nvme_vf_reset(struct pf_device *device, uint16_t vf)
{
    struct nvme_controller *controller = nvme_controller_of(device);
    if (controller == NULL || vf >= device->vfs)
        return STATUS_INVALID;
    enum status status = nvme_bring_online(controller, vf);
    if (status == STATUS_OK)
        return STATUS_OK;
    (void)!nvme_take_offline(controller, &controller->vf[vf]);
    nvme_report_vf(controller, vf, "nvme.vf_failed", status,
                   "its secondary controller does not come online; its guest is not started");
    return status;
}

static void nvme_vf_release(struct pf_device *device, uint16_t vf)
{
    struct nvme_controller *controller = nvme_controller_of(device);
    if (controller == NULL || vf >= device->vfs)
        return;
    enum status status = nvme_take_offline(controller, &controller->vf[vf]);
    if (status != STATUS_OK)
        nvme_report_vf(controller, vf, "nvme.vf_failed", status,
                       "its secondary controller does not go offline");
}

/* Some devices let a secondary controller carry out Namespace Attachment, too. It can use what it
 * attaches itself to until the next check, so checks are frequent. */
static bool nvme_service(struct pf_device *device)
{
    struct nvme_controller *controller = nvme_controller_of(device);
    uint64_t now = clock_microseconds();
    if (controller == NULL || controller->dead || now < controller->watched_at + WATCH_INTERVAL)
        return false;
    controller->watched_at = now;
    return nvme_watch(controller);
}

const struct pf_driver nvme_pf_driver = {
    .vf_reset = nvme_vf_reset,
    .vf_release = nvme_vf_release,
    .service = nvme_service,
    .audit = nvme_audit,
};
