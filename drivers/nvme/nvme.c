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

#define MAX_CONTROLLERS   4
#define WATCH_INTERVAL    MILLISECONDS(50)
#define LEAST_QUEUES      2 /* the admin queue pair and one for I/O (8.26.1) */
#define LEAST_VECTORS     1
#define LOGGED_INTRUSIONS 16

static struct nvme_controller controllers[MAX_CONTROLLERS];

static struct nvme_controller *controller_of(const struct pf_device *device)
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

/* What the primary controller gives up changes hands with its next reset (8.26.1). */
static enum status free_resources(struct nvme_controller *controller)
{
    bool held;
    enum status status = read_resources(controller, &held);
    if (status != STATUS_OK || !held)
        return status;
    status = manage(controller, NVME_PRIMARY_ALLOCATE, NVME_QUEUES, controller->id, 0);
    if (status == STATUS_OK)
        status = manage(controller, NVME_PRIMARY_ALLOCATE, NVME_INTERRUPTS, controller->id, 0);
    nvme_close(controller);
    if (status == STATUS_OK)
        status = nvme_open(controller);
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

/* --- namespaces --- */

/* Reads which controllers the namespace is attached to; their count, and the list in the data page
 * as the attachment command takes it. */
static enum status read_attached(struct nvme_controller *controller, uint32_t namespace,
                                 uint16_t *count)
{
    enum status status = nvme_identify(controller, NVME_ID_ATTACHED_CONTROLLERS, namespace);
    *count = status == STATUS_OK ? nvme_data16(controller, 0) : 0;
    return *count <= NVME_LIST_CONTROLLERS
               ? status
               : nvme_refuse(controller, STATUS_INVALID, "a controller list is longer than a page");
}

static enum status detach_all(struct nvme_controller *controller, uint32_t namespace)
{
    uint32_t result;
    uint16_t count;
    enum status status = read_attached(controller, namespace, &count);
    if (status == STATUS_OK && count != 0)
        status =
            nvme_execute(controller, NVME_NAMESPACE_ATTACHMENT, namespace, NVME_DETACH, 0, &result);
    return status;
}

static enum status attach(struct nvme_controller *controller, const struct nvme_vf *vf)
{
    uint32_t result;
    nvme_data_set_list(controller, vf->controller);
    return nvme_execute(controller, NVME_NAMESPACE_ATTACHMENT, vf->namespace, NVME_ATTACH, 0,
                        &result);
}

/* One for each VF, in the order of their ids; nobody is left with any. */
static enum status share_namespaces(struct nvme_controller *controller)
{
    uint16_t taken = 0;
    uint32_t last = 0;
    for (unsigned i = 0; i < NVME_LIST_NAMESPACES; i++) {
        enum status status = nvme_identify(controller, NVME_ID_ALLOCATED_NAMESPACES, last);
        if (status != STATUS_OK)
            return status;
        uint32_t namespace = nvme_data32(controller, 0); /* the next one after `last` */
        if (namespace == 0)
            break;
        if (namespace <= last || namespace > controller->last_namespace)
            return nvme_refuse(controller, STATUS_INVALID, "its namespace list is out of order");
        status = detach_all(controller, namespace);
        if (status != STATUS_OK)
            return status;
        if (taken < controller->device->vfs)
            controller->vf[taken++].namespace = namespace;
        last = namespace;
    }
    return taken == controller->device->vfs
               ? STATUS_OK
               : nvme_refuse(controller, STATUS_NOT_FOUND,
                             "it has fewer namespaces than VFs are asked for; each VF gets one");
}

/* --- a VF --- */

static enum status take_offline(struct nvme_controller *controller, struct nvme_vf *vf)
{
    vf->online = false;
    enum status status = manage(controller, NVME_SECONDARY_OFFLINE, NVME_QUEUES, vf->controller, 0);
    return status == STATUS_OK ? detach_all(controller, vf->namespace) : status;
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

/* From whatever state to: online, reset by that, with its resources and its namespace. */
static enum status bring_online(struct nvme_controller *controller, uint16_t index)
{
    struct nvme_vf *vf = &controller->vf[index];
    enum status status = take_offline(controller, vf);
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
        status = attach(controller, vf);
    vf->online = status == STATUS_OK;
    return status;
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

static enum status prepare(struct nvme_controller *controller)
{
    enum status status = nvme_open(controller);
    if (status == STATUS_OK)
        status = identify_controller(controller);
    if (status == STATUS_OK)
        status = free_resources(controller);
    if (status == STATUS_OK)
        status = read_secondaries(controller);
    return status == STATUS_OK ? share_namespaces(controller) : status;
}

static void nvme_stop(struct pf_device *device)
{
    struct nvme_controller *controller = controller_of(device);
    if (controller == NULL)
        return;
    nvme_close(controller); /* takes every secondary controller offline */
    controller->device = NULL;
    device->vfs = 0;
}

static enum status nvme_start(struct pf_device *device, uint16_t vfs)
{
    struct nvme_controller *controller = controller_of(NULL);
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
        status = prepare(controller);
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
    struct nvme_controller *controller = controller_of(device);
    enum status status = controller != NULL ? STATUS_OK : STATUS_INVALID;
    for (uint16_t vf = 0; vf < device->vfs && status == STATUS_OK; vf++) {
        status = bring_online(controller, vf);
        if (status == STATUS_OK)
            report_vf(controller, vf, "nvme.vf", status, "online");
    }
    return status;
}

static void nvme_vf_reset(struct pf_device *device, uint16_t vf)
{
    struct nvme_controller *controller = controller_of(device);
    if (controller == NULL || vf >= device->vfs)
        return;
    enum status status = bring_online(controller, vf);
    if (status == STATUS_OK)
        return;
    (void)!take_offline(controller, &controller->vf[vf]);
    report_vf(controller, vf, "nvme.vf_failed", status,
              "its secondary controller does not come online; its guest finds a dead controller");
}

static void nvme_vf_release(struct pf_device *device, uint16_t vf)
{
    struct nvme_controller *controller = controller_of(device);
    if (controller == NULL || vf >= device->vfs)
        return;
    enum status status = take_offline(controller, &controller->vf[vf]);
    if (status != STATUS_OK)
        report_vf(controller, vf, "nvme.vf_failed", status,
                  "its secondary controller does not go offline");
}

/* --- namespaces stay with their owners --- */

static void log_intrusion(struct nvme_controller *controller, uint16_t index, uint16_t intruder)
{
    if (controller->intrusions_logged++ < LOGGED_INTRUSIONS)
        log_event("nvme.intrusion",
                  "pf=%s namespace=%u vf=%u controller=%u action=offline message=\"a controller "
                  "attached itself to another's namespace; its VF stays offline until its guest "
                  "starts again\"",
                  rid_text(controller->device->function->rid).text, controller->vf[index].namespace,
                  index, intruder);
}

/* Takes every controller but its own away from the VF's namespace. The list in the data page is
 * read once: the commands that follow overwrite it. */
static enum status evict(struct nvme_controller *controller, uint16_t index, uint16_t count)
{
    bool intruder[PF_MAX_VFS] = {false};
    for (unsigned i = 0; i < count; i++) {
        uint16_t id = nvme_data16(controller, 2 * (i + 1));
        for (uint16_t vf = 0; vf < controller->device->vfs; vf++)
            intruder[vf] = intruder[vf] || (vf != index && controller->vf[vf].controller == id);
    }
    enum status status = detach_all(controller, controller->vf[index].namespace);
    for (uint16_t vf = 0; vf < controller->device->vfs; vf++) {
        if (!intruder[vf])
            continue;
        log_intrusion(controller, index, controller->vf[vf].controller);
        enum status offline = take_offline(controller, &controller->vf[vf]);
        status = status == STATUS_OK ? offline : status;
    }
    return status;
}

/* Some devices let a secondary controller carry out Namespace Attachment, too. What it attaches
 * itself to it can use until this looks, so the looking is often. */
static bool watch(struct nvme_controller *controller, uint16_t index)
{
    struct nvme_vf *vf = &controller->vf[index];
    uint16_t count;
    if (read_attached(controller, vf->namespace, &count) != STATUS_OK)
        return false;
    uint16_t wanted = vf->online ? 1 : 0;
    if (count == wanted && (count == 0 || nvme_data16(controller, 2) == vf->controller))
        return false;
    enum status status = evict(controller, index, count);
    if (status == STATUS_OK && vf->online)
        status = attach(controller, vf);
    if (status != STATUS_OK)
        report_vf(controller, index, "nvme.vf_failed", status,
                  "its namespace cannot be given back to it");
    return true;
}

static bool nvme_service(struct pf_device *device)
{
    struct nvme_controller *controller = controller_of(device);
    uint64_t now = clock_microseconds();
    if (controller == NULL || controller->dead || now < controller->watched_at + WATCH_INTERVAL)
        return false;
    controller->watched_at = now;
    uint16_t index = controller->watch_next;
    controller->watch_next = (uint16_t)((index + 1) % device->vfs);
    return watch(controller, index);
}

static bool nvme_link_up(const struct pf_device *device)
{
    const struct nvme_controller *controller = controller_of(device);
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
    .stop = nvme_stop,
};
