/* SPDX-License-Identifier: MIT */
/* The audit of who has which function: what an operation that fails half-way, or two that overlap,
 * would leave behind. Context entries themselves are audit_iommu.c's. */
#include "hypervisor/audit/audit_internal.h"

static void audit_owner(struct audit *audit, const struct pci_function *function)
{
    const struct guest *guest = guest_of_owner(function->owner);
    if (guest != NULL &&
        (pci_kept_back(function) || (function->pf != NULL && pci_kept_back(function->pf))))
        audit_violation(audit, "I4", audit_function(function->rid), function->owner, function->life,
                        "a function that could not be reset or detached has an owner");
    if (guest != NULL && assignment_of(guest, function->rid) == NULL)
        audit_violation(audit, "I4", audit_function(function->rid), function->owner, function->life,
                        "a function's owner does not have it among its devices");
    for (unsigned number = 0; number < PCI_BARS; number++) {
        const struct pci_bar *bar = &function->bar[number];
        if (bar->io || bar->base == 0 || bar->size < PAGE_SIZE)
            continue;
        const struct guest *holder = guest_of_owner(frames_owner(bar->base));
        if (holder != NULL && !audit_own_bar(holder, bar->base, 1))
            audit_violation(audit, "I1", audit_guest(holder), bar->base, function->rid,
                            "a guest has registers of a function that it does not own");
    }
}

/* Its own device where it reads it, but for the pages of the MSI-X table. */
static void audit_bar(struct audit *audit, const struct assignment *assignment, unsigned number)
{
    const struct guest_bar *bar = &assignment->bars[number];
    uint64_t hole_start = bar->size, hole_end = bar->size;
    if (assignment->has_msix && assignment->msix.table_bar == number) {
        uint64_t size = (uint64_t)assignment->msix.vectors * 16;
        hole_start = ALIGN_DOWN((uint64_t)assignment->msix.table_offset, PAGE_SIZE);
        hole_end = ALIGN_UP(assignment->msix.table_offset + size, PAGE_SIZE);
    }
    struct page_walk walk;
    for (uint64_t at = 0; at < bar->size;) {
        if (at >= hole_start && at < hole_end) {
            at = hole_end;
            continue;
        }
        page_table_walk(&assignment->guest->memory, bar->guest_base + at, &walk);
        if (!walk.present || walk.physical != bar->host_base + at) {
            audit_violation(audit, "I2", audit_guest(assignment->guest), bar->guest_base + at,
                            walk.present ? walk.physical : 0,
                            "registers of a running guest's device are not mapped");
            return;
        }
        uint64_t page = walk.page_size;
        at = ALIGN_DOWN(bar->guest_base + at, page) + page - bar->guest_base;
    }
}

static void audit_device(struct audit *audit, const struct guest *guest,
                         const struct assignment *assignment)
{
    const struct pci_function *function = assignment->function;
    bool in_domain = iommu_domain_of(function->rid) == &guest->domain;
    bool ended = guest->state == GUEST_CREATED || guest->state == GUEST_STOPPED;
    if (function->owner != guest->owner && !pci_unusable(function))
        audit_violation(audit, "I4", audit_guest(guest), function->rid, function->owner,
                        "a guest has a function among its devices that it does not own");
    if (pci_connected(function) != in_domain && !pci_unusable(function))
        audit_violation(audit, "I4", audit_guest(guest), function->rid, function->life,
                        "a device's state and its context entry contradict each other");
    if (ended && pci_connected(function))
        audit_violation(audit, "I4", audit_guest(guest), function->rid, guest->state,
                        "a device has kept its context entry after the end of its guest");
    for (unsigned number = 0; number < PCI_BARS; number++)
        if (guest->state == GUEST_RUNNING && assignment->bars[number].size != 0)
            audit_bar(audit, assignment, number);
}

void audit_lives(struct audit *audit)
{
    const struct pci_function *function;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++)
        audit_owner(audit, function);
    const struct guest *guest;
    for (unsigned g = 0; (guest = guest_at(g)) != NULL; g++)
        for (unsigned i = 0; i < guest->assignment_count; i++)
            audit_device(audit, guest, guest->assignments[i]);
}
