/*
 * The primary controller of an NVMe device with SR-IOV: gives each VF's secondary controller
 * queues, interrupts and one namespace (NVM Express Base 2.0, 8.26 and 8.11). The PF's only DMA is
 * that of its admin queue.
 */
#include "drivers/nvme/nvme.h"

#include "drivers/nvme/nvme_admin.h"
#include "hypervisor/base/clock.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"

#define MAX_CONTROLLERS 4
#define WATCH_INTERVAL  MILLISECONDS(50)

static struct nvme_controller controllers[MAX_CONTROLLERS];

struct nvme_controller *nvme_controller_of(const struct pf_device *device)
{
    for (size_t i = 0; i < MAX_CONTROLLERS; i++)
        if (controllers[i].device == device)
            return &controllers[i];
    return NULL;
}

static bool nvme_probe(const struct pci_function *function)
{
    return function->class_code == NVME_CLASS && !function->is_vf;
}

static void report_vf(const struct nvme_controller *controller, uint16_t index, const char *event,
                      enum status status, const char *message)
{
    log_event(event, "pf=%s vf=%u controller=%u namespace=%u status=%s message=\"%s\"",
              rid_text(controller->device->function->rid).text, index,
              controller->vf[index].controller, controller->vf[index].namespace,
              status_name(status), message);
}

/* --- the driver --- */

static void nvme_stop(struct pf_device *device)
{
    struct nvme_controller *controller = nvme_controller_of(device);
    if (controller == NULL)
        return;
    nvme_close(controller); /* takes every secondary controller offline */
    controller->device = NULL;
    device->vfs = 0;
}

static enum status nvme_start(struct pf_device *device, uint16_t vfs)
{
    struct nvme_controller *controller = nvme_controller_of(NULL);
    if (controller == NULL)
        return STATUS_FULL;
    *controller = (struct nvme_controller){.device = device};
    device->vfs = vfs;
    enum status status = STATUS_OK;
    if (vfs == 0 || vfs > PF_MAX_VFS)
        status = nvme_refuse(controller, STATUS_INVALID, "it can have 1 to 64 VFs");
    else if (device->registers == 0 || device->registers_size < NVME_MIN_REGISTERS)
        status = nvme_refuse(controller, STATUS_INVALID, "BAR 0 is smaller than its registers");
    if (status == STATUS_OK)
        status = nvme_take_stock(controller);
    if (status != STATUS_OK) {
        nvme_stop(device);
        return status;
    }
    log_event("nvme.started", "pf=%s controller=%u vfs=%u queues=%u vectors=%u",
              rid_text(device->function->rid).text, controller->id, vfs, controller->queues,
              controller->vectors);
    return STATUS_OK;
}

static enum status nvme_vfs_enabled(struct pf_device *device)
{
    struct nvme_controller *controller = nvme_controller_of(device);
    enum status status = controller != NULL ? STATUS_OK : STATUS_INVALID;
    for (uint16_t vf = 0; vf < device->vfs && status == STATUS_OK; vf++) {
        status = nvme_bring_online(controller, vf);
        if (status == STATUS_OK)
            status = nvme_check_secondary(controller, vf);
        if (status == STATUS_OK)
            report_vf(controller, vf, "nvme.vf", status, "online");
    }
    return status;
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
    report_vf(controller, vf, "nvme.vf_failed", status,
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
        report_vf(controller, vf, "nvme.vf_failed", status,
                  "its secondary controller does not go offline");
}

/* Some devices let a secondary controller carry out Namespace Attachment, too. What it attaches
 * itself to it can use until this looks, so the looking is often. */
static bool nvme_service(struct pf_device *device)
{
    struct nvme_controller *controller = nvme_controller_of(device);
    uint64_t now = clock_microseconds();
    if (controller == NULL || controller->dead || now < controller->watched_at + WATCH_INTERVAL)
        return false;
    controller->watched_at = now;
    return nvme_watch(controller);
}

static bool nvme_link_up(const struct pf_device *device)
{
    const struct nvme_controller *controller = nvme_controller_of(device);
    return controller != NULL && !controller->dead;
}

const struct pf_driver nvme_pf_driver = {
    .name = "nvme",
    .probe = nvme_probe,
    .start = nvme_start,
    .vfs_enabled = nvme_vfs_enabled,
    .vf_reset = nvme_vf_reset,
    .vf_release = nvme_vf_release,
    .service = nvme_service,
    .link_up = nvme_link_up,
    .audit = nvme_audit,
    .stop = nvme_stop,
};
