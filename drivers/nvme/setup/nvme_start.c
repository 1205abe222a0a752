/* SPDX-License-Identifier: MIT */
/* Bringing an NVMe PF up: gives each VF's secondary controller queues, interrupts and one
 * namespace. */
#include "drivers/nvme/nvme.h"
#include "drivers/nvme/setup/nvme_setup.h"
#include "drivers/nvme/setup/nvme_setup_registers.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/pci/pf_setup.h"

static bool nvme_probe(const struct pci_function *function)
{
    return function->class_code == NVME_CLASS && !function->is_vf;
}

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
            nvme_report_vf(controller, vf, "nvme.vf", status, "online");
    }
    return status;
}

const struct pf_setup nvme_pf_setup = {
    .driver = &nvme_pf_driver,
    .probe = nvme_probe,
    .start = nvme_start,
    .vfs_enabled = nvme_vfs_enabled,
    .stop = nvme_stop,
};
