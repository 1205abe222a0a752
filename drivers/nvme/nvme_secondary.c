/* SPDX-License-Identifier: MIT */
/* What the primary controller does for a VF: its secondary controller online, with queues,
 * interrupts and a namespace, or offline (NVM Express Base 2.0, 8.26 and 8.11). */
#include "drivers/nvme/nvme_admin.h"

enum status nvme_manage(struct nvme_controller *controller, enum nvme_action action,
                        enum nvme_resource resource, uint16_t id, uint16_t count)
{
    uint32_t result;
    enum status status =
        nvme_execute(controller, NVME_VIRTUALIZATION_MANAGEMENT, 0,
                     (uint32_t)id << 16 | (uint32_t)resource << 8 | action, count, &result);
    if (status == STATUS_OK && action == NVME_SECONDARY_ASSIGN && (result & 0xffff) != count)
        return nvme_refuse(controller, STATUS_DEVICE,
                           "a secondary controller got other resources than were assigned to it");
    return status;
}

unsigned nvme_find_secondary(const struct nvme_controller *controller, uint16_t vf)
{
    unsigned count = nvme_data16(controller, NVME_SECONDARY_COUNT) & 0xff;
    for (unsigned i = 0; i < MIN(count, NVME_SECONDARIES); i++) {
        unsigned entry = NVME_SECONDARY(i);
        if (nvme_data16(controller, entry + NVME_SECONDARY_FUNCTION) == vf + 1 &&
            nvme_data16(controller, entry + NVME_SECONDARY_PRIMARY) == controller->id)
            return entry;
    }
    return 0;
}

enum status nvme_take_offline(struct nvme_controller *controller, struct nvme_vf *vf)
{
    vf->online = false;
    enum status status =
        nvme_manage(controller, NVME_SECONDARY_OFFLINE, NVME_QUEUES, vf->controller, 0);
    return status == STATUS_OK ? nvme_detach_from(controller, vf) : status;
}

static enum status check_online(struct nvme_controller *controller, uint16_t index)
{
    enum status status = nvme_identify(controller, NVME_ID_SECONDARIES, 0);
    if (status != STATUS_OK)
        return status;
    unsigned entry = nvme_find_secondary(controller, index);
    if (entry != 0 &&
        nvme_data16(controller, entry + NVME_SECONDARY_ID) == controller->vf[index].controller &&
        (nvme_data16(controller, entry + NVME_SECONDARY_STATE) & 1) != 0 &&
        nvme_data16(controller, entry + NVME_SECONDARY_QUEUES) == controller->queues &&
        nvme_data16(controller, entry + NVME_SECONDARY_VECTORS) == controller->vectors)
        return STATUS_OK;
    return nvme_refuse(controller, STATUS_DEVICE,
                       "a secondary controller is not online with what it was given");
}

enum status nvme_bring_online(struct nvme_controller *controller, uint16_t index)
{
    struct nvme_vf *vf = &controller->vf[index];
    enum status status = nvme_take_offline(controller, vf);
    if (status == STATUS_OK)
        status = nvme_manage(controller, NVME_SECONDARY_ASSIGN, NVME_QUEUES, vf->controller,
                             controller->queues);
    if (status == STATUS_OK)
        status = nvme_manage(controller, NVME_SECONDARY_ASSIGN, NVME_INTERRUPTS, vf->controller,
                             controller->vectors);
    if (status == STATUS_OK)
        status = nvme_manage(controller, NVME_SECONDARY_ONLINE, NVME_QUEUES, vf->controller, 0);
    if (status == STATUS_OK)
        status = check_online(controller, index);
    if (status == STATUS_OK)
        status = nvme_attach(controller, vf);
    vf->online = status == STATUS_OK;
    return status;
}
