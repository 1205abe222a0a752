/* SPDX-License-Identifier: MIT */
#include "hypervisor/guest/faults.h"

#include "hypervisor/base/clock.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/assign/assignment.h"
#include "hypervisor/guest/lifecycle.h"

#define RECORDS      64
#define LOGGED_ALONE 64

static struct fault_record records[RECORDS];
static uint64_t total;

static const char *const action_words[] = {
    [FAULT_LOG] = "log",
    [FAULT_DISABLE_DEVICE] = "disable-device",
    [FAULT_STOP_GUEST] = "stop-guest",
};

static void remember(const struct iommu_fault *fault, const char *guest)
{
    struct fault_record *record = &records[total++ % RECORDS];
    *record = (struct fault_record){.at_microseconds = clock_microseconds(), .fault = *fault};
    (void)text_copy(record->guest, sizeof record->guest, guest);
}

static void log_fault(const struct iommu_fault *fault, const char *guest, const char *action)
{
    if (fault->interrupt)
        log_event("irq.fault", "rid=%s index=%lu guest=%s reason=%#x action=%s message=\"%s\"",
                  rid_text(fault->rid).text, fault->address, guest, fault->reason, action,
                  iommu_fault_reason(fault->reason));
    else
        log_event("dma.fault",
                  "rid=%s guest=%s address=%#lx access=%s reason=%#x action=%s message=\"%s\"%s",
                  rid_text(fault->rid).text, guest, fault->address, fault->write ? "write" : "read",
                  fault->reason, action, iommu_fault_reason(fault->reason),
                  fault->overflow ? " lost=yes" : "");
}

static bool any_silenced(const struct guest *guest)
{
    for (unsigned i = 0; i < guest->assignment_count; i++)
        if (guest->assignments[i]->function->life == PCI_SILENCED)
            return true;
    return false;
}

void fault_answer(const struct iommu_fault *fault)
{
    struct pci_function *function = pci_function_find(fault->rid);
    struct guest *guest = function != NULL ? guest_of_owner(function->owner) : NULL;
    struct assignment *assignment = guest != NULL ? assignment_of(guest, fault->rid) : NULL;
    const char *name = guest != NULL ? guest->name : "-";
    const char *action = action_words[FAULT_LOG];
    bool acted = false;
    uint64_t count = total + 1;

    remember(fault, name);
    if (guest != NULL) {
        count = ++guest->faults;
        /* A guest whose device was silenced may have a last record in flight. */
        if (count >= guest->config->fault_threshold && assignment != NULL &&
            assignment->function->life != PCI_SILENCED &&
            guest->config->fault_action != FAULT_LOG) {
            acted = true;
            action = action_words[guest->config->fault_action];
            assignment_silence(assignment);
        }
    }
    if (acted || log_is_due(count, LOGGED_ALONE))
        log_fault(fault, name, action);
    if (guest != NULL && any_silenced(guest) && guest->config->fault_action == FAULT_STOP_GUEST &&
        guest->state == GUEST_RUNNING && guest_stop(guest, "dma-faults") != STATUS_OK)
        log_event("guest.stop_failed",
                  "name=%s message=\"one of its cores did not answer; bus mastering of its devices "
                  "is off\"",
                  guest->name);
}

void faults_answer(void)
{
    struct iommu_fault fault;
    while (iommu_fault_next(&fault))
        fault_answer(&fault);
}

const struct fault_record *fault_record(unsigned index)
{
    return index < RECORDS && index < total ? &records[(total - 1 - index) % RECORDS] : NULL;
}

uint64_t fault_total(void)
{
    return total;
}
