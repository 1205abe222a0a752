/* SPDX-License-Identifier: MIT */
/* Commands that change what guests do. */
#include "hypervisor/assign/assignment.h"
#include "hypervisor/base/string.h"
#include "hypervisor/guest/hold.h"
#include "hypervisor/guest/lifecycle.h"
#include "hypervisor/guest/move.h"
#include "hypervisor/monitor/commands.h"
#include "hypervisor/monitor/guest_console.h"

const char *command_state(const struct guest *guest)
{
    static const char *const words[] = {
        [GUEST_EMPTY] = "empty",     [GUEST_CREATED] = "created", [GUEST_RUNNING] = "running",
        [GUEST_STOPPED] = "stopped", [GUEST_REFUSED] = "refused", [GUEST_STOPPING] = "stopping",
        [GUEST_LOST] = "lost",
    };
    return guest->paused ? "paused" : words[guest->state];
}

static enum status stop(struct guest *guest)
{
    return guest_stop(guest, "monitor");
}

void command_change(char *const words[])
{
    static const struct {
        const char *name;
        enum status (*function)(struct guest *);
        const char *done;
    } changes[] = {
        {"start", guest_start, "started"},       {"stop", stop, "stopped"},
        {"restart", guest_restart, "restarted"}, {"pause", guest_pause, "paused"},
        {"resume", guest_resume, "resumed"},
    };
    struct guest *guest = ask_guest(words[1]);
    size_t i = 0;
    while (!text_equal(changes[i].name, words[0]))
        i++;
    enum status status = guest != NULL ? changes[i].function(guest) : STATUS_OK;
    if (status == STATUS_BUSY && guest_moving(guest))
        console_printf("%s takes part in a move; wait for device.moved\n", guest->name);
    else if (status == STATUS_BUSY || status == STATUS_NOT_FOUND)
        console_printf("%s is %s\n", guest->name, command_state(guest));
    else if (status != STATUS_OK)
        console_printf("%s could not be %s: %s\n", guest->name, changes[i].done,
                       status_name(status));
}

void command_move(char *const words[])
{
    struct guest *from = ask_guest(words[2]), *to = ask_guest(words[3]);
    rid_t rid;
    if (from == NULL || to == NULL || !ask_device(words[1], &rid))
        return;
    struct assignment *assignment = assignment_of(from, rid);
    enum status status =
        assignment == NULL || from == to ? STATUS_INVALID : guest_move(assignment, to);
    if (assignment == NULL)
        console_printf("%s has no device %s; `devices` lists them\n", from->name, words[1]);
    else if (from == to)
        console_printf("%s has it already\n", to->name);
    else if (status == STATUS_BUSY)
        console_printf("%s is %s, %s is %s; one move at a time\n", from->name, command_state(from),
                       to->name, command_state(to));
    else if (status != STATUS_OK)
        console_printf("%s could not be moved: %s\n", words[1], status_name(status));
}

void command_console(char *const words[])
{
    struct guest *guest = ask_guest(words[1]);
    if (guest == NULL)
        return;
    if (!guest->ports) {
        console_printf("%s has no serial line: only Linux kernels get one\n", guest->name);
        return;
    }
    console_printf("serial line of %s; Ctrl-\\ leaves it\n", guest->name);
    guest_console_attach(guest);
}
