/* SPDX-License-Identifier: MIT */
/* The PF's driver cannot reach its device any more, or was a guest's and is gone, so nothing keeps
 * the VFs apart: they lose their DMA. What does that is their context entry: a device that does not
 * answer its driver may not heed its command register either. */
#include "hypervisor/guest/pf_lost.h"

#include "hypervisor/assign/assignment.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/guest/hold.h"
#include "hypervisor/guest/lifecycle.h"

/* The context entry first: bringing the cores out of guest mode can take a second. */
static void block(struct assignment *assignment)
{
    struct guest *guest = assignment->guest;
    enum status status = assignment_block(assignment);
    log_event("device.blocked", "guest=%s rid=%s pf=%s status=%s message=\"%s\"", guest->name,
              rid_text(assignment->function->rid).text,
              rid_text(assignment->pf->function->rid).text, status_name(status),
              status == STATUS_OK
                  ? "its PF is not driven any more: context entry gone and bus mastering off "
                    "until a reboot; its guest runs on without it and is not started again"
                  : "its PF is not driven any more; the IOMMU did not confirm that it is blocked: "
                    "its guest is stopped, reboot");
    bool running = guest->state == GUEST_RUNNING;
    if (running && (status != STATUS_OK || guest_hold(guest) != STATUS_OK)) {
        running = false;
        if (guest_stop(guest, "device-lost") != STATUS_OK)
            log_event("guest.stop_failed", "name=%s", guest->name);
    }
    assignment_withdraw(assignment);
    if (running)
        guest_release(guest);
    guests_changed();
}

static bool is_ending(const struct guest *guest)
{
    return guest != NULL && guest->state == GUEST_STOPPING;
}

/* One that is lost may still run, and cannot be reset. */
static bool manager_is_gone(const struct pf_device *pf)
{
    const struct guest *manager = guest_of_owner(pf->manager);
    return manager != NULL &&
           (manager->state == GUEST_LOST || (is_ending(manager) && !pf->ends_with_manager));
}

const struct guest *pf_ending_manager(const struct guest *guest)
{
    for (unsigned i = 0; i < guest->assignment_count; i++) {
        const struct pf_device *pf = guest->assignments[i]->pf;
        const struct guest *manager = pf != NULL ? guest_of_owner(pf->manager) : NULL;
        if (is_ending(manager) && pf->ends_with_manager)
            return manager;
    }
    return NULL;
}

void pf_block_lost(const struct pf_device *pf)
{
    struct guest *guest;
    if (!pci_unusable(pf->function) && !manager_is_gone(pf))
        return;
    if (pf->function->life == PCI_LOST)
        (void)!pci_life_set(pf->function, PCI_UNUSABLE);
    for (unsigned i = 0; (guest = guest_at(i)) != NULL; i++)
        for (unsigned n = 0; n < guest->assignment_count; n++)
            if (guest->assignments[n]->pf == pf && !pci_kept_back(guest->assignments[n]->function))
                block(guest->assignments[n]);
}
