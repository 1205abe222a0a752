/* SPDX-License-Identifier: MIT */
/* One more function for a guest: where it goes on the virtual bus. */
#include "hypervisor/assign/assignment.h"

#include "hypervisor/base/log.h"
#include "hypervisor/iommu/domain.h"
#include "hypervisor/iommu/iommu.h"

static enum status create_domain(struct guest *guest)
{
    enum status status = iommu_domain_create(&guest->domain, guest->owner);
    for (unsigned i = 0; i < guest->piece_count && status == STATUS_OK; i++)
        status = iommu_domain_map(&guest->domain, guest->pieces[i].at, guest->pieces[i].physical,
                                  guest->pieces[i].size, PAGE_READ | PAGE_WRITE);
    if (status != STATUS_OK)
        log_event("guest.domain_failed",
                  "guest=%s status=%s message=\"no DMA domain can be made for its devices\"",
                  guest->name, status_name(status));
    return status;
}

enum status assignment_add(struct guest *guest, struct assignment *assignment,
                           struct pci_function *function, struct pf_device *pf)
{
    uint64_t next_bar[GUEST_BAR_WINDOWS];
    unsigned slot = 1;
    if (guest->assignment_count == GUEST_MAX_FUNCTIONS)
        return STATUS_FULL;
    if (guest->domain.table.root == NULL && iommu_enabled()) {
        enum status status = create_domain(guest);
        if (status != STATUS_OK)
            return status;
    }
    for (unsigned i = 0; i < GUEST_BAR_WINDOWS; i++)
        next_bar[i] = MAX(guest->bar_windows[i].base, guest->bar_windows[i].vfs_end);
    for (unsigned i = 0; i < guest->assignment_count; i++) {
        for (unsigned number = 0; number < PCI_BARS; number++) {
            const struct guest_bar *bar = &guest->assignments[i]->bars[number];
            uint64_t *next = &next_bar[bar->guest_base >= GUEST_HIGH_BASE];
            if (bar->size != 0)
                *next = MAX(*next, bar->guest_base + bar->size);
        }
    }
    while (assignment_in_slot(guest, slot) != NULL)
        slot++;
    enum status status = assignment_claim(guest, assignment, function, pf, slot, next_bar);
    if (status == STATUS_OK)
        guest->assignments[guest->assignment_count++] = assignment;
    return status;
}
