#include "hypervisor/guest/move.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/assign/device.h"
#include "hypervisor/memory/pages.h"

static struct move {
    struct guest_device *device; /* NULL: none under way */
    struct guest *from, *to;
    bool held; /* the former owner is out of guest mode */
} move;

bool guest_moving(const struct guest *guest)
{
    return move.device != NULL && (move.from == guest || move.to == guest);
}

static bool settled(const struct guest *guest)
{
    return guest->state == GUEST_CREATED || guest->state == GUEST_STOPPED ||
           guest->state == GUEST_RUNNING;
}

enum status guest_move(struct guest_device *device, struct guest *to)
{
    struct guest *from = device->guest;
    const struct pci_function *function = device->function;
    if (move.device != NULL || !settled(from))
        return STATUS_BUSY;
    if (to->quarantined || to->state == GUEST_LOST)
        return device_refuse(to, function, STATUS_DENIED,
                             to->quarantined ? "the guest is quarantined until a reboot"
                                             : "the guest is lost until a reboot");
    if (!settled(to))
        return STATUS_BUSY;
    if (to->device_count == CONFIG_MAX_DEVICES)
        return STATUS_FULL;
    if (device->pf != NULL && device->pf->lost)
        return device_refuse(to, function, STATUS_DENIED, device_unusable);
    enum status status = device_check(to, function, true);
    if (status != STATUS_OK)
        return status;
    bool running = from->state == GUEST_RUNNING;
    status = running ? guest_hold(from) : STATUS_OK;
    if (status != STATUS_OK)
        return status;
    move = (struct move){.device = device, .from = from, .to = to, .held = running};
    device_detach_start(device);
    return STATUS_OK;
}

/* Detached before, and the guest is out of guest mode. */
static enum status take(struct guest_device *device)
{
    struct guest *guest = device->guest;
    enum status status = device_unmap(device);
    if (status != STATUS_OK)
        return status;
    for (unsigned number = 0; number < PCI_BARS; number++)
        guest->pulled_end =
            MAX(guest->pulled_end, device->bars[number].guest_base + device->bars[number].size);
    device_release(device);
    unsigned index = 0;
    while (guest->devices[index] != device)
        index++;
    guest->device_count--;
    for (; index < guest->device_count; index++)
        guest->devices[index] = guest->devices[index + 1];
    return STATUS_OK;
}

/* A guest's newest device is its last. */
static bool lists(const struct guest *guest, const struct guest_device *device)
{
    return guest->device_count != 0 && guest->devices[guest->device_count - 1] == device;
}

/* After an error the device may be in the guest's list all the same: if it could not be taken out
 * of its memory again, or the unit may still let it reach that. */
static enum status give(struct guest_device *device, struct guest *guest)
{
    struct pci_function *function = device->function;
    struct pf_device *pf = device->pf;
    if (!settled(guest))
        return STATUS_BUSY;
    bool running = guest->state == GUEST_RUNNING;
    enum status status = running ? guest_hold(guest) : STATUS_OK;
    if (status != STATUS_OK)
        return status;
    *device = (struct guest_device){.function = function, .pf = pf};
    status = guest_add_device(guest, device, function, pf);
    if (status == STATUS_OK && running) {
        status = device_attach(device);
        if (status != STATUS_OK && (device->attached || take(device) != STATUS_OK))
            device_disable(device);
    }
    if (running)
        guest_release(guest);
    return status;
}

static void log_failure(const struct move *done, enum status status, const char *message)
{
    log_event("device.move_failed", "rid=%s from=%s to=%s status=%s message=\"%s\"",
              rid_text(done->device->function->rid).text, done->from->name, done->to->name,
              status_name(status), message);
}

void guest_move_service(void)
{
    struct move done = move;
    struct guest_device *device = done.device;
    if (device == NULL || !device_detach_ready(device) || done.from->state == GUEST_STOPPING)
        return;
    move.device = NULL;
    guests_changed();
    enum status status = done.from->state == GUEST_LOST ? STATUS_DENIED : STATUS_OK;
    if (status == STATUS_OK)
        status = device_detach_finish(device);
    /* Without a reset that has worked nobody gets it. One that is not known to be cut off from its
     * guest's memory stays in its list, so that this memory is not used again. */
    bool taken = !device->attached && done.from->state != GUEST_LOST && take(device) == STATUS_OK;
    if (status == STATUS_OK && (!taken || pci_unusable(device->function)))
        status = STATUS_DENIED;
    if (done.held)
        guest_release(done.from);
    if (status != STATUS_OK) {
        log_failure(&done, status,
                    taken ? "no guest has it until a reboot"
                          : "it could not be taken from its guest, which cannot use it until a "
                            "reboot");
        if (taken)
            pages_free(device, ALIGN_UP(sizeof *device, PAGE_SIZE) / PAGE_SIZE);
        return;
    }
    status = give(device, done.to);
    if (status == STATUS_OK) {
        log_event("device.moved", "rid=%s from=%s to=%s", rid_text(device->function->rid).text,
                  done.from->name, done.to->name);
        return;
    }
    bool back = !lists(done.to, device) && give(device, done.from) == STATUS_OK;
    bool kept = !back && (lists(done.to, device) || lists(done.from, device));
    log_failure(&done, status,
                back   ? "its former owner has it again"
                : kept ? "it could not be taken back from the guest that was to get it, and is off"
                       : "no guest has it until a reboot");
    if (!back && !kept)
        pages_free(device, ALIGN_UP(sizeof *device, PAGE_SIZE) / PAGE_SIZE);
}
