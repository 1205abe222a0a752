/* SPDX-License-Identifier: MIT */
/* What the device has, shared out evenly among its secondary controllers: queues, interrupts and a
 * namespace for each (NVM Express Base 2.0, 8.26 and 8.11). */
#include "drivers/nvme/setup/nvme_setup.h"
#include "drivers/nvme/setup/nvme_setup_registers.h"

#define LEAST_QUEUES  2 /* the admin queue pair and one for I/O (8.26.1) */
#define LEAST_VECTORS 1

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
    status = nvme_manage(controller, NVME_PRIMARY_ALLOCATE, NVME_QUEUES, controller->id, 0);
    if (status == STATUS_OK)
        status = nvme_manage(controller, NVME_PRIMARY_ALLOCATE, NVME_INTERRUPTS, controller->id, 0);
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
        unsigned entry = nvme_find_secondary(controller, vf);
        uint16_t id = entry != 0 ? nvme_data16(controller, entry + NVME_SECONDARY_ID) : 0;
        if (entry == 0 || known(controller, id, vf))
            status = nvme_refuse(
                controller, STATUS_INVALID,
                "its secondary controller list has no entry for a VF, or one controller twice");
        controller->vf[vf].controller = id;
    }
    return status;
}

/* Takes the namespace from every controller that has it. */
static enum status detach_all(struct nvme_controller *controller, uint32_t namespace)
{
    uint32_t result;
    uint16_t count;
    enum status status = nvme_read_attached(controller, namespace, &count);
    if (status == STATUS_OK && count != 0)
        status =
            nvme_execute(controller, NVME_NAMESPACE_ATTACHMENT, namespace, NVME_DETACH, 0, &result);
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
        status = detach_all(controller, namespace);
        if (status != STATUS_OK)
            return status;
        if (taken < controller->device->vfs)
            controller->vf[taken++].namespace = namespace;
    }
    if (status == STATUS_NOT_FOUND && taken < controller->device->vfs)
        return nvme_refuse(controller, STATUS_NOT_FOUND,
                           "it has fewer namespaces than VFs requested; each VF gets one");
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
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
