/* SPDX-License-Identifier: MIT */
#include "hypervisor/guest/move.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/assign/assignment.h"
#include "hypervisor/guest/hold.h"
#include "hypervisor/memory/pages.h"

static struct move {
    struct assignment *assignment; /* NULL: none under way */
    struct guest *from, *to;
    bool held; /* the former owner is out of guest mode */
} move;

bool guest_moving(const struct guest *guest)
{
    return move.assignment != NULL && (move.from == guest || move.to == guest);
}

static bool settled(const struct guest *guest)
{
    return guest->state == GUEST_CREATED || guest->state == GUEST_STOPPED ||
           guest->state == GUEST_RUNNING;
}

enum status guest_move(struct assignment *assignment, struct guest *to)
{
    struct guest *from = assignment->guest;
    const struct pci_function *function = assignment->function;
    if (move.assignment != NULL || !settled(from))
        return STATUS_BUSY;
    if (to->quarantined || to->state == GUEST_LOST)
        return assignment_refuse(to, function, STATUS_DENIED,
                                 to->quarantined ? "the guest is quarantined until a reboot"
                                                 : "the guest is lost until a reboot");
    if (!settled(to))
        return STATUS_BUSY;
    if (to->assignment_count == GUEST_MAX_FUNCTIONS)
        return STATUS_FULL;
    if (function->num_vfs != 0)
        return assignment_refuse(to, function, STATUS_DENIED,
                                 "the guest that drives the card keeps it: others have its VFs");
    enum status status = assignment_check(to, function, true);
    if (status != STATUS_OK)
        return status;
    bool running = from->state == GUEST_RUNNING;
    status = running ? guest_hold(from) : STATUS_OK;
    if (status != STATUS_OK)
        return status;
    move = (struct move){.assignment = assignment, .from = from, .to = to, .held = running};
    assignment_quiesce(assignment);
    return STATUS_OK;
}

/* Detached before, and the guest is out of guest mode. */
static enum status take(struct assignment *assignment)
{
    struct guest *guest = assignment->guest;
    enum status status = assignment_unmap(assignment);
    if (status != STATUS_OK)
        return status;
    for (unsigned number = 0; number < PCI_BARS; number++)
        assignment_pulled(assignment, number);
    assignment_unclaim(assignment);
    unsigned index = 0;
    while (guest->assignments[index] != assignment)
        index++;
    guest->assignment_count--;
    for (; index < guest->assignment_count; index++)
        guest->assignments[index] = guest->assignments[index + 1];
    return STATUS_OK;
}

/* A guest's newest device is its last. */
static bool lists(const struct guest *guest, const struct assignment *assignment)
{
    return guest->assignment_count != 0 &&
           guest->assignments[guest->assignment_count - 1] == assignment;
}

/* After an error the device may be in the guest's list all the same: if it could not be taken out
 * of its memory again, or the unit may still let it reach that. */
static enum status give(struct assignment *assignment, struct guest *guest)
{
    struct pci_function *function = assignment->function;
    struct pf_device *pf = assignment->pf;
    if (!settled(guest))
        return STATUS_BUSY;
    bool running = guest->state == GUEST_RUNNING;
    enum status status = running ? guest_hold(guest) : STATUS_OK;
    if (status != STATUS_OK)
        return status;
    *assignment = (struct assignment){.function = function, .pf = pf};
    status = assignment_add(guest, assignment, function, pf);
    if (status == STATUS_OK && running) {
        status = assignment_connect(assignment);
        if (status != STATUS_OK && (pci_connected(function) || take(assignment) != STATUS_OK))
            assignment_silence(assignment);
    }
    if (running)
        guest_release(guest);
    return status;
}

static void log_failure(const struct move *done, enum status status, const char *message)
{
    log_event("device.move_failed", "rid=%s from=%s to=%s status=%s message=\"%s\"",
              rid_text(done->assignment->function->rid).text, done->from->name, done->to->name,
              status_name(status), message);
}

void guest_move_service(void)
{
    struct move done = move;
    struct assignment *assignment = done.assignment;
    if (assignment == NULL || !assignment_quiet(assignment) || done.from->state == GUEST_STOPPING ||
        done.to->state == GUEST_STOPPING)
        return;
    move.assignment = NULL;
    guests_changed();
    enum status status = done.from->state == GUEST_LOST ? STATUS_DENIED : STATUS_OK;
    if (status == STATUS_OK)
        status = assignment_disconnect(assignment);
    /* Without a reset that has worked nobody gets it. One that is not known to be cut off from its
     * guest's memory stays in its list, so that this memory is not used again. */
    bool taken = !pci_connected(assignment->function) && done.from->state != GUEST_LOST &&
                 take(assignment) == STATUS_OK;
    if (status == STATUS_OK && (!taken || pci_unusable(assignment->function)))
        status = STATUS_DENIED;
    if (done.held)
        guest_release(done.from);
    if (status != STATUS_OK) {
        log_failure(
            &done, status,
            taken ? "no guest has it until a reboot"
                  : "it could not be taken from its guest, which cannot use it until a reboot");
        if (taken)
            pages_free(assignment, ALIGN_UP(sizeof *assignment, PAGE_SIZE) / PAGE_SIZE);
        return;
    }
    status = give(assignment, done.to);
    if (status == STATUS_OK) {
        log_event("device.moved", "rid=%s from=%s to=%s", rid_text(assignment->function->rid).text,
                  done.from->name, done.to->name);
        return;
    }
    bool back = !lists(done.to, assignment) && give(assignment, done.from) == STATUS_OK;
    bool kept = !back && (lists(done.to, assignment) || lists(done.from, assignment));
    log_failure(&done, status,
                back   ? "its former owner has it again"
                : kept ? "it could not be taken back from the guest that was to get it, and is off"
                       : "no guest has it until a reboot");
    if (!back && !kept)
        pages_free(assignment, ALIGN_UP(sizeof *assignment, PAGE_SIZE) / PAGE_SIZE);
}
