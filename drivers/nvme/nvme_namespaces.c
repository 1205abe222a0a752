/* SPDX-License-Identifier: MIT */
/* Which controllers each namespace is attached to, and putting that right (NVM Express Base 2.0,
 * 8.11 and 5.22). A controller in a list did not necessarily put itself there: lists are corrected,
 * and nobody is punished for what they say. */
#include "drivers/nvme/nvme_admin.h"

#include "hypervisor/base/clock.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"

#define MOST_NAMESPACES   4096
#define MOST_OTHERS       16 /* controllers that one look takes a namespace from */
#define MOST_FAILED_LOOKS 16
/* The control core has other work. Checked between two commands. */
#define LOOK_TIME   MILLISECONDS(20)
#define DETACH_TIME MILLISECONDS(1000)

/* --- the lists --- */

static enum status read_namespaces(struct nvme_controller *controller, struct nvme_walk *walk)
{
    enum status status = nvme_identify(controller, NVME_ID_ALLOCATED_NAMESPACES, walk->last);
    walk->next = walk->count = 0;
    uint32_t last = walk->last;
    for (unsigned i = 0; status == STATUS_OK && i < NVME_AT_ONCE; i++) {
        uint32_t namespace = nvme_data32(controller, 4 * i);
        if (namespace == 0)
            break;
        if (namespace <= last || namespace > controller->last_namespace)
            return nvme_refuse(controller, STATUS_INVALID, "its namespace list is out of order");
        walk->id[walk->count++] = last = namespace;
    }
    return status;
}

enum status nvme_next_namespace(struct nvme_controller *controller, struct nvme_walk *walk,
                                uint32_t *namespace)
{
    enum status status = walk->next == walk->count ? read_namespaces(controller, walk) : STATUS_OK;
    if (status != STATUS_OK)
        return status;
    if (walk->count == 0)
        return STATUS_NOT_FOUND;
    if (walk->seen++ == MOST_NAMESPACES)
        return nvme_refuse(controller, STATUS_FULL,
                           "it has more than 4096 namespaces; delete those that are not used");
    *namespace = walk->last = walk->id[walk->next++];
    return STATUS_OK;
}

enum status nvme_read_attached(struct nvme_controller *controller, uint32_t namespace,
                               uint16_t *count)
{
    enum status status = nvme_identify(controller, NVME_ID_ATTACHED_CONTROLLERS, namespace);
    *count = status == STATUS_OK ? nvme_data16(controller, 0) : 0;
    return *count <= NVME_LIST_CONTROLLERS
               ? status
               : nvme_refuse(controller, STATUS_INVALID, "a controller list is longer than a page");
}

/* --- commands --- */

static enum status attachment(struct nvme_controller *controller, enum nvme_attachment action,
                              uint32_t namespace, uint16_t id)
{
    uint32_t result;
    nvme_data_set_list(controller, id);
    enum status status =
        nvme_execute(controller, NVME_NAMESPACE_ATTACHMENT, namespace, action, 0, &result);
    /* A guest's controller may have changed the list since it was read. */
    unsigned already = action == NVME_ATTACH ? NVME_ALREADY_ATTACHED : NVME_NOT_ATTACHED;
    return status == STATUS_DEVICE && controller->code == already ? STATUS_OK : status;
}

enum status nvme_attach(struct nvme_controller *controller, const struct nvme_vf *vf)
{
    return attachment(controller, NVME_ATTACH, vf->namespace, vf->controller);
}

/* --- who has what, and who should --- */

struct attachments {
    const struct nvme_vf *owner; /* NULL: nobody may have it now */
    bool owned;                  /* its owner has it */
    uint16_t others;             /* controllers that have it besides; the first of them: */
    uint16_t other[MOST_OTHERS];
};

static enum status look_at(struct nvme_controller *controller, uint32_t namespace,
                           struct attachments *found)
{
    uint16_t count;
    *found = (struct attachments){.owner = NULL};
    for (uint16_t vf = 0; vf < controller->device->vfs; vf++)
        if (controller->vf[vf].namespace == namespace && controller->vf[vf].online)
            found->owner = &controller->vf[vf];
    enum status status = nvme_read_attached(controller, namespace, &count);
    for (unsigned i = 1; i <= count; i++) {
        uint16_t id = nvme_data16(controller, 2 * i);
        if (found->owner != NULL && id == found->owner->controller)
            found->owned = true;
        else if (found->others++ < MOST_OTHERS)
            found->other[found->others - 1] = id;
    }
    return status;
}

static bool as_it_should_be(const struct attachments *found)
{
    return found->others == 0 && found->owned == (found->owner != NULL);
}

static void log_correction(struct nvme_controller *controller, uint32_t namespace,
                           const struct attachments *found, enum status status)
{
    char owner[8] = "-", others[MOST_OTHERS * 6 + 1] = "-";
    size_t used = 0;
    if (!nvme_is_logged(&controller->corrections))
        return;
    if (found->owner != NULL)
        (void)format_text(owner, sizeof owner, "%u", found->owner->controller);
    for (unsigned i = 0; i < MIN(found->others, MOST_OTHERS); i++)
        used += format_text(others + used, sizeof others - used, "%s%u", i != 0 ? "," : "",
                            found->other[i]);
    log_event("nvme.corrected",
              "pf=%s namespace=%u owner=%s detached=%s attached=%s status=%s message=\"%s\"",
              rid_text(controller->device->function->rid).text, namespace, owner, others,
              found->owner != NULL && !found->owned ? owner : "-", status_name(status),
              status == STATUS_OK
                  ? "the namespace had wrong attachments; the cause is unknown"
                  : "the namespace has wrong attachments; correcting them is tried again");
}

/* The next guest must not find attachments that the last one made. All namespaces are looked at or
 * the VF is not used, so this does not go on in a later turn. */
enum status nvme_detach_from(struct nvme_controller *controller, const struct nvme_vf *vf)
{
    struct nvme_walk walk = {.last = 0};
    struct deadline until = deadline_in(DETACH_TIME);
    uint32_t namespace = 0;
    enum status status;
    while ((status = nvme_next_namespace(controller, &walk, &namespace)) == STATUS_OK) {
        if (deadline_passed(until))
            return nvme_refuse(
                controller, STATUS_TIMEOUT,
                "its namespaces cannot be checked within a second; delete unused ones");
        uint16_t count;
        bool listed = false;
        status = nvme_read_attached(controller, namespace, &count);
        for (unsigned i = 1; i <= count && !listed; i++)
            listed = nvme_data16(controller, 2 * i) == vf->controller;
        if (listed) {
            status = attachment(controller, NVME_DETACH, namespace, vf->controller);
            const struct attachments found = {.others = 1, .other = {vf->controller}};
            if (namespace != vf->namespace)
                log_correction(controller, namespace, &found, status);
        }
        if (status != STATUS_OK)
            return status;
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* One controller a command: one that is gone from the list meanwhile does not keep the others in
 * it. The owner keeps what it has. */
static enum status put_right(struct nvme_controller *controller, uint32_t namespace,
                             const struct attachments *found)
{
    enum status status = STATUS_OK;
    for (unsigned i = 0; i < MIN(found->others, MOST_OTHERS); i++) {
        enum status one = attachment(controller, NVME_DETACH, namespace, found->other[i]);
        status = status == STATUS_OK ? one : status;
    }
    if (found->owner != NULL && !found->owned) {
        enum status given = nvme_attach(controller, found->owner);
        status = status == STATUS_OK ? given : status;
    }
    log_correction(controller, namespace, found, status);
    return status;
}

/* True when all was read and is as it should be now. */
static bool look(struct nvme_controller *controller, bool *corrected)
{
    struct nvme_walk walk = {.last = controller->watched_to};
    struct deadline until = deadline_in(LOOK_TIME);
    bool well = true;
    uint32_t namespace = 0;
    for (unsigned i = 0; i < NVME_AT_ONCE && (i == 0 || !deadline_passed(until)); i++) {
        struct attachments found;
        enum status status = nvme_next_namespace(controller, &walk, &namespace);
        controller->watched_to = status == STATUS_OK ? namespace : 0;
        if (status != STATUS_OK)
            return well && status == STATUS_NOT_FOUND;
        status = look_at(controller, namespace, &found);
        if (status == STATUS_OK && !as_it_should_be(&found)) {
            *corrected = true;
            status = put_right(controller, namespace, &found);
        }
        well = well && status == STATUS_OK;
    }
    return well;
}

bool nvme_watch(struct nvme_controller *controller)
{
    bool corrected = false;
    if (!look(controller, &corrected)) {
        controller->round_failed = true;
        controller->failed_looks++;
    }
    if (controller->watched_to == 0) {
        if (!controller->round_failed)
            controller->failed_looks = 0;
        controller->round_failed = false;
    }
    if (controller->failed_looks >= MOST_FAILED_LOOKS && !controller->dead)
        nvme_give_up(controller, NVME_IDENTIFY, STATUS_DEVICE,
                     "its namespaces can no longer be checked or corrected");
    return corrected;
}

void nvme_audit(struct pf_device *device, pf_breach *report, void *context)
{
    struct nvme_controller *controller = nvme_controller_of(device);
    struct nvme_walk walk = {.last = controller != NULL ? controller->audited_to : 0};
    struct deadline until = deadline_in(LOOK_TIME);
    uint32_t namespace = 0;
    enum status status = STATUS_NOT_FOUND;
    while (controller != NULL && !controller->dead &&
           (status = nvme_next_namespace(controller, &walk, &namespace)) == STATUS_OK) {
        struct attachments found;
        status = look_at(controller, namespace, &found);
        if (status != STATUS_OK)
            break;
        for (unsigned i = 0; i < MIN(found.others, MOST_OTHERS); i++)
            report(context, namespace, found.other[i],
                   "a namespace is attached to a controller that is not its owner's");
        if (found.owner != NULL && !found.owned)
            report(context, namespace, found.owner->controller,
                   "a namespace is not attached to its owner's controller");
        if (deadline_passed(until)) {
            controller->audited_to = namespace;
            return;
        }
    }
    if (controller != NULL)
        controller->audited_to = 0;
    if (status != STATUS_NOT_FOUND)
        report(context, namespace, status, "which controllers have a namespace cannot be read");
}
