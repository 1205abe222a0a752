/* What the primary controller does for its secondary ones: queues, interrupts and a namespace for
 * each (NVM Express Base 2.0, 8.26 and 8.11). */
#include "drivers/nvme/nvme_admin.h"

#define LEAST_QUEUES  2 /* the admin queue pair and one for I/O (8.26.1) */
#define LEAST_VECTORS 1

/* --- what the device has --- */

static enum status identify_controller(struct nvme_controller *controller)
{
    enum status status = nvme_identify(controller, NVME_ID_CONTROLLER, 0);
    if (status != STATUS_OK)
        return status;
    const uint64_t needed = NVME_OACS_NAMESPACES | NVME_OACS_VIRTUALIZATION;
    controller->id = nvme_data16(controller, NVME_CONTROLLER_ID);
    controller->last_namespace = nvme_data32(controller, NVME_CONTROLLER_NAMESPACES);
    if ((nvme_data16(controller, NVME_CONTROLLER_OACS) & needed) != needed)
        return nvme_refuse(
            controller, STATUS_UNSUPPORTED,
            "it has no Virtualization Management or no Namespace Attachment command");
    return STATUS_OK;
}

static enum status manage(struct nvme_controller *controller, enum nvme_action action,
                          enum nvme_resource resource, uint16_t id, uint16_t count)
{
    uint32_t result;
    enum status status =
        nvme_execute(controller, NVME_VIRTUALIZATION_MANAGEMENT, 0,
                     (uint32_t)id << 16 | (uint32_t)resource << 8 | action, count, &result);
    if (status == STATUS_OK && action == NVME_SECONDARY_ASSIGN && (result & 0xffff) != count)
        return nvme_refuse(controller, STATUS_DEVICE,
                           "a secondary controller got other resources than it was to get");
    return status;
}

/* An even share of the flexible resources; 0 when that is less than a VF needs. */
static uint16_t share(const struct nvme_controller *controller, unsigned block, unsigned least)
{
    uint32_t total = nvme_data32(controller, block + NVME_FLEXIBLE_TOTAL);
    uint16_t most = nvme_data16(controller, block + NVME_FLEXIBLE_MOST);
    uint16_t granularity = nvme_data16(controller, block + NVME_FLEXIBLE_GRANULARITY);
    uint32_t each = MIN(total / controller->device->vfs, most);
    if (granularity > 1)
        each -= each % granularity;
    return (uint16_t)(each >= least ? each : 0);
}

/* How much each VF gets; *held: the primary controller keeps some of it for itself. */
static enum status read_resources(struct nvme_controller *controller, bool *held)
{
    enum status status = nvme_identify(controller, NVME_ID_PRIMARY, 0);
    if (status != STATUS_OK)
        return status;
    if (nvme_data16(controller, NVME_PRIMARY_ID) != controller->id ||
        (nvme_data16(controller, NVME_PRIMARY_TYPES) & 3) != 3)
        return nvme_refuse(controller, STATUS_INVALID,
                           "its primary controller capabilities are not its own, or it shares out "
                           "no queues or interrupts");
    controller->queues = share(controller, NVME_PRIMARY_QUEUES, LEAST_QUEUES);
    controller->vectors = share(controller, NVME_PRIMARY_INTERRUPTS, LEAST_VECTORS);
    if (controller->queues == 0 || controller->vectors == 0)
        return nvme_refuse(controller, STATUS_UNSUPPORTED,
                           "its flexible resources do not give each VF two queue pairs and an "
                           "interrupt; ask for fewer VFs");
    *held = nvme_data16(controller, NVME_PRIMARY_QUEUES + NVME_FLEXIBLE_PRIMARY) != 0 ||
            nvme_data16(controller, NVME_PRIMARY_INTERRUPTS + NVME_FLEXIBLE_PRIMARY) != 0;
    return STATUS_OK;
}

static enum status reset_and_open(struct nvme_controller *controller)
{
    enum status status = pci_function_reset(controller->device->function);
    return status == STATUS_OK ? nvme_open(controller)
                               : nvme_refuse(controller, status, "its function cannot be reset");
}

/* What the primary controller gives up changes hands with its next reset (8.26.1). */
static enum status free_resources(struct nvme_controller *controller)
{
    bool held = false;
    enum status status = read_resources(controller, &held);
    if (status != STATUS_OK || !held)
        return status;
    status = manage(controller, NVME_PRIMARY_ALLOCATE, NVME_QUEUES, controller->id, 0);
    if (status == STATUS_OK)
        status = manage(controller, NVME_PRIMARY_ALLOCATE, NVME_INTERRUPTS, controller->id, 0);
    nvme_close(controller);
    if (status == STATUS_OK)
        status = reset_and_open(controller);
    if (status == STATUS_OK)
        status = read_resources(controller, &held);
    if (status == STATUS_OK && held)
        return nvme_refuse(controller, STATUS_DEVICE,
                           "the primary controller does not give up its flexible resources");
    return status;
}

/* The entry of VF `vf`: its offset in the data page, 0 when there is none. The secondary controller
 * list is in the data page. */
static unsigned find_secondary(const struct nvme_controller *controller, uint16_t vf)
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

static bool known(const struct nvme_controller *controller, uint16_t id, uint16_t vfs)
{
    bool found = id == controller->id;
    for (uint16_t vf = 0; vf < vfs; vf++)
        found = found || controller->vf[vf].controller == id;
    return found;
}

static enum status read_secondaries(struct nvme_controller *controller)
{
    enum status status = nvme_identify(controller, NVME_ID_SECONDARIES, 0);
    for (uint16_t vf = 0; vf < controller->device->vfs && status == STATUS_OK; vf++) {
        unsigned entry = find_secondary(controller, vf);
        uint16_t id = entry != 0 ? nvme_data16(controller, entry + NVME_SECONDARY_ID) : 0;
        if (entry == 0 || known(controller, id, vf))
            status = nvme_refuse(controller, STATUS_INVALID,
                                 "its secondary controller list has no entry for a VF, or one "
                                 "controller twice");
        controller->vf[vf].controller = id;
    }
    return status;
}

/* One for each VF, in the order of their ids; nobody is left with any. */
static enum status share_namespaces(struct nvme_controller *controller)
{
    struct nvme_walk walk = {.last = 0};
    uint16_t taken = 0;
    uint32_t namespace;
    enum status status;
    while ((status = nvme_next_namespace(controller, &walk, &namespace)) == STATUS_OK) {
        status = nvme_detach_all(controller, namespace);
        if (status != STATUS_OK)
            return status;
        if (taken < controller->device->vfs)
            controller->vf[taken++].namespace = namespace;
    }
    if (status == STATUS_NOT_FOUND && taken < controller->device->vfs)
        return nvme_refuse(controller, STATUS_NOT_FOUND,
                           "it has fewer namespaces than VFs are asked for; each VF gets one");
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* --- a VF --- */

enum status nvme_take_offline(struct nvme_controller *controller, struct nvme_vf *vf)
{
    vf->online = false;
    enum status status = manage(controller, NVME_SECONDARY_OFFLINE, NVME_QUEUES, vf->controller, 0);
    return status == STATUS_OK ? nvme_detach_from(controller, vf) : status;
}

static enum status check_online(struct nvme_controller *controller, uint16_t index)
{
    enum status status = nvme_identify(controller, NVME_ID_SECONDARIES, 0);
    if (status != STATUS_OK)
        return status;
    unsigned entry = find_secondary(controller, index);
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
        status = manage(controller, NVME_SECONDARY_ASSIGN, NVME_QUEUES, vf->controller,
                        controller->queues);
    if (status == STATUS_OK)
        status = manage(controller, NVME_SECONDARY_ASSIGN, NVME_INTERRUPTS, vf->controller,
                        controller->vectors);
    if (status == STATUS_OK)
        status = manage(controller, NVME_SECONDARY_ONLINE, NVME_QUEUES, vf->controller, 0);
    if (status == STATUS_OK)
        status = check_online(controller, index);
    if (status == STATUS_OK)
        status = nvme_attach(controller, vf);
    vf->online = status == STATUS_OK;
    return status;
}

enum status nvme_take_stock(struct nvme_controller *controller)
{
    enum status status = reset_and_open(controller);
    if (status == STATUS_OK)
        status = identify_controller(controller);
    if (status == STATUS_OK)
        status = free_resources(controller);
    if (status == STATUS_OK)
        status = read_secondaries(controller);
    return status == STATUS_OK ? share_namespaces(controller) : status;
}
