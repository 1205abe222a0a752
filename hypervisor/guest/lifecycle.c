/* SPDX-License-Identifier: MIT */
/* Starting, stopping and what follows: the control core's side of a guest's life. */
#include "hypervisor/guest/lifecycle.h"

#include "hypervisor/base/clock.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/x86/control_call.h"
#include "hypervisor/assign/assignment.h"
#include "hypervisor/assign/pf.h"
#include "hypervisor/guest/cores.h"
#include "hypervisor/guest/hold.h"
#include "hypervisor/guest/load.h"
#include "hypervisor/guest/move.h"
#include "hypervisor/guest/pf_lost.h"
#include "hypervisor/guest/scrub.h"
#include "hypervisor/vdev/virtual_serial.h"
#include "hypervisor/x86/cpu.h"

/* A full ring takes less, at 115200 baud and in lines of a byte each. */
#define OUTPUT_LIMIT MILLISECONDS(5000)

static void quiesce_all(struct guest *guest)
{
    for (unsigned i = 0; i < guest->assignment_count; i++)
        assignment_quiesce(guest->assignments[i]);
}

/* One look at each, and at most one of them taken back in a turn of the control loop: others have
 * work there, too. False: call again. What failed is logged, and remembered in the device. */
static bool disconnect_goes_on(struct guest *guest)
{
    bool all = true, finished = false;
    for (unsigned i = 0; i < guest->assignment_count; i++) {
        struct assignment *assignment = guest->assignments[i];
        if (!assignment_quiet(assignment) || (finished && assignment_resetting(assignment))) {
            all = false;
        } else if (assignment_resetting(assignment)) {
            (void)!assignment_disconnect(assignment);
            finished = true;
        }
    }
    return all;
}

static enum status connect_all(struct guest *guest)
{
    for (unsigned i = 0; i < guest->assignment_count; i++) {
        enum status status = assignment_connect(guest->assignments[i]);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* Every core is out of guest mode. */
static void end(struct guest *guest)
{
    guest->state = GUEST_STOPPING;
    guest->output_left = guest->ports;
    guest->output_until = deadline_in(OUTPUT_LIMIT);
    quiesce_all(guest);
}

/* Memory, devices and vCPUs as at power-on; nothing runs yet. */
static enum status prepare(struct guest *guest)
{
    struct vcpu_state start;
    if (guest->quarantined)
        return STATUS_DENIED;
    if ((guest->state != GUEST_CREATED && guest->state != GUEST_STOPPED) || guest->holds != 0 ||
        guest_moving(guest) || !scrub_over(guest) || pf_ending_manager(guest) != NULL)
        return STATUS_BUSY;
    if (!guest_cores_usable(guest))
        return STATUS_DEVICE;
    enum status status = load_guest(guest, &start);
    if (status != STATUS_OK)
        return status;
    guest->end_noted = 0;
    guest->stop_reason[0] = '\0';
    guest->exit_status = 0;
    status = connect_all(guest);
    if (status != STATUS_OK) {
        /* What is connected already goes the way of every end. */
        guest_note_end(guest, GUEST_NOT_STARTED, 0);
        guest->started_at = clock_microseconds();
        end(guest);
        return status;
    }
    guest->faults = 0;
    guest->pci_address = 0;
    guest->rtc_index = 0;
    for (unsigned i = 0; i < GUEST_BAR_WINDOWS; i++)
        guest->bar_windows[i].pulled_end = guest->bar_windows[i].vfs_end;
    guest->loading = true;
    guest->ports = false;
    size_t lost = guest->serial != NULL ? virtual_serial_reset(guest->serial) : 0;
    if (lost != 0)
        log_event("guest.output_lost",
                  "name=%s bytes=%zu message=\"the console had not written them when the guest was "
                  "started again\"",
                  guest->name, lost);
    for (unsigned i = 0; i < guest->cpu_count; i++) {
        struct vcpu *vcpu = guest->vcpus[i];
        vcpu->stop_request = vcpu->hold_request = 0;
        vcpu->activity = i == 0 ? VCPU_RUNNING : VCPU_WAIT_FOR_SIPI;
        vcpu->xcr0 = 1;
        vcpu->cr2 = 0;
        memset(vcpu->exits, 0, sizeof vcpu->exits);
        memset(vcpu->exits_seen, 0, sizeof vcpu->exits_seen);
    }
    guest->vcpus[0]->start = start;
    return STATUS_OK;
}

static void launch(struct guest *guest)
{
    guest->started_at = clock_microseconds();
    guest->state = GUEST_RUNNING;
    guests_changed();
    log_event("guest.started", "name=%s core=%u", guest->name, guest->vcpus[0]->cpu->index);
    guest_cores_begin(guest);
}

enum status guest_start(struct guest *guest)
{
    enum status status = prepare(guest);
    if (status == STATUS_OK)
        launch(guest);
    return status;
}

/* What it said comes before its end. Written by the control loop, a slice a turn: on a slow serial
 * port it takes seconds, and neighbours have calls to be answered meanwhile. */
static bool output_written(const struct guest *guest)
{
    bool left = guest->output_left;
    for (unsigned i = 0; i < guest->cpu_count; i++)
        left = left || log_pending(guest->vcpus[i]->cpu->index);
    return !left || deadline_passed(guest->output_until);
}

/* Its functions are through their reset and gone: its own cores overwrite its memory. */
static bool memory_overwritten(struct guest *guest)
{
    if (assignments_connected(guest))
        return true; /* it never is */
    if (!guest->memory_clean && !guest->scrubbing)
        scrub_begin(guest);
    return scrub_over(guest);
}

static void conclude(struct guest *guest)
{
    guest->state = GUEST_STOPPED;
    guests_changed();
    if (guest->paused) {
        guest->paused = false;
        guest_release(guest);
    }
    if (assignments_connected(guest)) {
        guest->state = GUEST_LOST;
        log_event("guest.lost",
                  "name=%s message=\"one of its devices could not be detached; its memory stays "
                  "unused until a reboot\"",
                  guest->name);
    } else if (!guest->memory_clean) {
        log_event("guest.scrub_failed",
                  "name=%s message=\"its memory could not be mapped; it is overwritten before the "
                  "next start\"",
                  guest->name);
    }
    bool refused = text_equal(guest->stop_reason, END_REFUSED);
    if (refused)
        load_refused(guest, &guest->refusal);
    log_event("guest.stopped", "name=%s status=%lu reason=%s faults=%lu exits=%lu seconds=%u",
              guest->name, guest->exit_status, guest->stop_reason, guest->faults,
              guest_exits(guest), (unsigned)((clock_microseconds() - guest->started_at) / 1000000));
    if (guest->state == GUEST_STOPPED && refused) {
        guest->state = GUEST_REFUSED;
        guest->restarting = false;
    }
}

/* A core did not leave guest mode: its devices are silenced all the same. */
static void give_up(struct guest *guest)
{
    guest->state = GUEST_LOST;
    guests_changed();
    for (unsigned i = 0; i < guest->assignment_count; i++)
        assignment_silence(guest->assignments[i]);
    log_event(
        "guest.lost",
        "name=%s reason=%s message=\"%s; the guest's devices are off, the core is not used again\"",
        guest->name, guest->stop_reason,
        guest_cores_failed(guest) != 0
            ? "one of its cores died in the hypervisor (see cpu.exception above)"
            : "a core did not leave guest mode within a second of its NMI");
}

enum status guest_stop(struct guest *guest, const char *reason)
{
    if (guest->state != GUEST_RUNNING)
        return STATUS_NOT_FOUND;
    guest_note_end(guest, reason, 0);
    if (!guest_cores_stop(guest)) {
        give_up(guest);
        return STATUS_TIMEOUT;
    }
    end(guest);
    return STATUS_OK;
}

void guest_quarantine(struct guest *guest)
{
    if (guest->quarantined)
        return;
    guest->quarantined = true;
    guest->restarting = false;
    log_event("guest.quarantined",
              "name=%s message=\"the audit found its isolation broken (audit.violation above): it "
              "does not run again before a reboot\"",
              guest->name);
    /* A core that does not come back is logged as guest.lost, and the devices are off. */
    if (guest->state == GUEST_RUNNING)
        (void)!guest_stop(guest, "quarantine");
}

enum status guest_restart(struct guest *guest)
{
    if (guest->state != GUEST_RUNNING)
        return guest_start(guest);
    guest->restarting = true;
    return guest_stop(guest, "restart");
}

/* A guest that is to be started stays as it is for as long as something is in its way. */
static void start_again(struct guest *guest)
{
    enum status status = guest_start(guest);
    if (status == STATUS_BUSY)
        return;
    guest->restarting = false;
    if (status != STATUS_OK)
        log_event("guest.refused", "guest=%s status=%s message=\"it could not be started\"",
                  guest->name, status_name(status));
}

/* True when it took long, as loading does under emulation: the others' calls come before the next
 * guest's. Those that are ready at boot start together. */
static bool check(struct guest *guest)
{
    if (guest->state == GUEST_STOPPING && disconnect_goes_on(guest) && output_written(guest) &&
        memory_overwritten(guest)) {
        conclude(guest);
        return true;
    }
    if (guest->restarting && (guest->state == GUEST_CREATED || guest->state == GUEST_STOPPED)) {
        bool again = guest->state == GUEST_STOPPED;
        start_again(guest);
        return again && !guest->restarting;
    }
    if (guest->state != GUEST_RUNNING)
        return false;
    uint64_t limit = (uint64_t)guest->config->time_limit * 1000000;
    const struct guest *manager = pf_ending_manager(guest);
    if (manager != NULL)
        guest->restarting = manager->restarting;
    const char *reason = guest->end_noted != 0            ? guest->stop_reason
                         : manager != NULL                ? "pf-owner"
                         : guest_cores_failed(guest) != 0 ? "core-failed"
                         : limit != 0 && clock_microseconds() - guest->started_at > limit
                             ? "time-limit"
                             : NULL;
    if (reason != NULL && guest_stop(guest, reason) != STATUS_OK)
        log_event("guest.stop_failed", "name=%s reason=%s", guest->name, reason);
    return false;
}

void guests_service(void)
{
    control_calls_service();
    for (uint32_t i = 0; i < PF_MAX; i++) {
        struct pf_device *pf = pf_device_at(i);
        if (pf == NULL)
            continue;
        (void)pf->driver->service(pf);
        pf_block_lost(pf);
    }
    for (unsigned i = 0; guest_at(i) != NULL; i++)
        if (check(guest_at(i)))
            break;
    guest_move_service();
}

void guests_start_all(void)
{
    for (unsigned i = 0; guest_at(i) != NULL; i++)
        guest_at(i)->restarting = guest_at(i)->state == GUEST_CREATED;
}

bool guests_starting(void)
{
    for (unsigned i = 0; guest_at(i) != NULL; i++)
        if (guest_at(i)->state == GUEST_CREATED && guest_at(i)->restarting)
            return true;
    return false;
}

bool guests_all_ended(void)
{
    for (unsigned i = 0; guest_at(i) != NULL; i++)
        if (guest_at(i)->state == GUEST_RUNNING || guest_at(i)->state == GUEST_STOPPING ||
            guest_at(i)->restarting)
            return false;
    return true;
}

static bool all_ended_by_now(bool (*meanwhile)(void))
{
    guests_service();
    log_service();
    (void)meanwhile();
    return guests_all_ended();
}

void guests_stop_all(bool (*meanwhile)(void))
{
    for (unsigned i = 0; guest_at(i) != NULL; i++)
        guest_at(i)->restarting = false;
    for (unsigned i = 0; guest_at(i) != NULL; i++)
        if (guest_at(i)->state == GUEST_RUNNING && guest_stop(guest_at(i), "shutdown") != STATUS_OK)
            log_event("guest.stop_failed", "name=%s", guest_at(i)->name);
    if (!WAIT_UNTIL(all_ended_by_now(meanwhile), MILLISECONDS(10000)))
        log_event("guest.stop_failed", "message=\"not every guest ended within ten seconds; the "
                                       "machine is reset or switched off anyway\"");
}
