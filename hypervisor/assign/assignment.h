/* SPDX-License-Identifier: MIT */
/*
 * What a guest has of a PCI function: the function, its place on the guest's virtual bus, and what
 * the guest sees of it (which vdev/ answers from). Giving and taking keep the order of invariant
 * I6. Except where a comment says otherwise, everything here runs on the control core.
 */
#pragma once

#include "hypervisor/assign/guest.h"
#include "hypervisor/pci/pf_driver.h"
#include "hypervisor/pci/msix.h"

#define GUEST_MSIX_MAX 256 /* vectors of one device; a function with more is refused */

struct guest_bar {
    uint64_t guest_base; /* where the EPT maps it; what the guest reads */
    uint64_t host_base;
    uint64_t size; /* 0: not there */
    bool is_64bit, prefetchable;
    bool sizing_low, sizing_high; /* all ones were written: the next read gives the size */
};

struct guest_vector {
    uint64_t address; /* the guest's own values */
    uint32_t data;
    bool masked;
    bool allocated; /* has an interrupt remapping entry */
    uint16_t index; /* of that entry */
};

struct assignment {
    struct guest *guest;
    struct pci_function *function;
    struct pf_device *pf;     /* of a VF, else NULL */
    unsigned slot;            /* device number on the guest's virtual bus 0 */
    enum status reset_status; /* until assignment_disconnect(); STATUS_BUSY: goes on */
    struct pci_reset reset;
    uint16_t command; /* the guest's view of the command register */
    struct guest_bar bars[PCI_BARS];
    bool has_msix;
    bool msix_enabled, msix_function_mask;
    struct msix_layout msix;
    uintptr_t msix_table; /* the physical table, mapped */
    struct guest_vector *vectors;
    uint64_t messages_refused; /* since the start */
};

/* The guest's assignment in a slot of its virtual bus, or of a requester id; NULL for none. */
static inline struct assignment *assignment_in_slot(const struct guest *guest, unsigned slot)
{
    for (unsigned i = 0; i < guest->assignment_count; i++)
        if (guest->assignments[i]->slot == slot)
            return guest->assignments[i];
    return NULL;
}

static inline struct assignment *assignment_of(const struct guest *guest, rid_t rid)
{
    for (unsigned i = 0; i < guest->assignment_count; i++)
        if (guest->assignments[i]->function->rid == rid)
            return guest->assignments[i];
    return NULL;
}

/* Whether any device of the guest may still reach its memory. */
static inline bool assignments_connected(const struct guest *guest)
{
    for (unsigned i = 0; i < guest->assignment_count; i++)
        if (pci_connected(guest->assignments[i]->function))
            return true;
    return false;
}

/* Accesses to the BAR are answered from now on as those to a function that was pulled. */
static inline void assignment_pulled(struct assignment *assignment, unsigned number)
{
    const struct guest_bar *bar = &assignment->bars[number];
    struct guest_bar_window *window = guest_bar_window(assignment->guest, bar->guest_base);
    window->pulled_end = MAX(window->pulled_end, bar->guest_base + bar->size);
}

/* assignment_add.c. One more function (and its PF's driver when it is a VF): into the lowest free
 * slot, its BARs behind the others'. The guest must not be in guest mode. `assignment` is the
 * caller's, one page or more of zeros; it becomes the guest's. Errors of assignment_claim();
 * STATUS_FULL. */
MUST_CHECK enum status assignment_add(struct guest *guest, struct assignment *assignment,
                                      struct pci_function *function, struct pf_device *pf);

/* Takes the function for the guest, lays out its BARs in the guest's windows for them, from
 * next_bar[] on, and maps them into the guest's memory tables (the MSI-X table's pages excepted).
 * The guest must not be running. Logs device.assigned, or device.refused and leaves everything with
 * its owner. */
MUST_CHECK enum status assignment_claim(struct guest *guest, struct assignment *assignment,
                                        struct pci_function *function, struct pf_device *pf,
                                        unsigned slot, uint64_t next_bar[GUEST_BAR_WINDOWS]);
/* assignment_check.c. Whether assignment_claim() would refuse the function; `moved`: whoever has it
 * now. Changes nothing; the reason is logged. */
MUST_CHECK enum status assignment_check(const struct guest *guest,
                                        const struct pci_function *function, bool moved);
/* STATUS_DENIED, with the reason logged, for a function whose registers may be somebody else's. */
MUST_CHECK enum status assignment_check_registers(const struct guest *guest,
                                                  const struct pci_function *function);
/* Logs device.refused and returns `status`. */
MUST_CHECK enum status assignment_refuse(const struct guest *guest,
                                         const struct pci_function *function, enum status status,
                                         const char *message);
extern const char assignment_unusable[]; /* the message for what pci_unusable() says of it */
/* A BAR that no guest gets: the flash of a known device. */
bool assignment_bar_is_flash(const struct pci_function *function, unsigned number);
/* Takes its BARs out of the guest's memory tables; the guest must not be in guest mode, and its
 * cores must flush what they cached before it is again. */
MUST_CHECK enum status assignment_unmap(struct assignment *assignment);
/* The reverse of assignment_claim(); the guest's memory tables keep what they map, so they go with
 * it, or assignment_unmap() comes first. The function is free then, unless it is unusable. */
void assignment_unclaim(struct assignment *assignment);
/* Before a start: registers as after power-on, context entry present. Bus mastering stays off
 * until the guest asks for it. After an error the function is pci_connected() only if the
 * unit may have cached the context entry: it is kept back then, and the guest's memory must not be
 * used again.
 */
MUST_CHECK enum status assignment_connect(struct assignment *assignment);
/* After an end: bus mastering off and the reset begun; assignment_quiet() carries it on, without
 * waiting, until it returns true; then the rest: context entry gone, caches invalidated. After an
 * error of assignment_disconnect() the function is unusable, and its registers are out of the
 * guest's reach; if it is still pci_connected(), the unit did not confirm: the device may still
 * reach the guest's memory, which must not be used for anything else. The guest must not be in
 * guest mode. */
void assignment_quiesce(struct assignment *assignment);
static inline bool assignment_resetting(const struct assignment *assignment)
{
    return assignment->function->life == PCI_RESETTING;
}
bool assignment_quiet(struct assignment *assignment);
MUST_CHECK enum status assignment_disconnect(struct assignment *assignment);
/* The answer to faults: bus mastering off, and it stays off until the next start. */
void assignment_silence(struct assignment *assignment);

/* Without a reset, whatever its guest does: bus mastering off, interrupts and context entry gone,
 * the function unusable. An error leaves it pci_connected(), as that of assignment_disconnect()
 * does. */
MUST_CHECK enum status assignment_block(struct assignment *assignment);
/* Takes its registers from the guest, which must not be in guest mode and keeps the device. */
void assignment_withdraw(struct assignment *assignment);

/* --- view.c: what the guest sees of it, as after a reset --- */
void view_reset_config(struct assignment *assignment);
/* Also frees its interrupt entries; the function sends no interrupts until it is set up again. */
void view_reset_interrupts(struct assignment *assignment);
