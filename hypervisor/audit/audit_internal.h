/* SPDX-License-Identifier: MIT */
/* What the audit's files share; nobody else includes this. */
#pragma once

#include "hypervisor/assign/assignment.h"
#include "hypervisor/assign/guest.h"
#include "hypervisor/audit/audit.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"

/* What was looked at and what was wrong. */
struct audit {
    uint64_t leaves, contexts;
    struct audit_findings findings;
};

/* Whom a violation concerns: a guest, else a function, else a part of the machine on which every
 * guest depends. */
struct audit_subject {
    const struct guest *guest; /* NULL: none */
    const char *part;          /* NULL: a function */
    rid_t rid;
    bool unknown; /* whose doing it is: it is reported, and nobody is taken out of service */
};

static inline struct audit_check *audit_check(struct audit *audit, const char *invariant)
{
    unsigned index = invariant[0] == 'I' ? (unsigned)(invariant[1] - '1') : AUDIT_INVARIANTS - 1;
    return &audit->findings.checks[index];
}

static inline struct audit_subject audit_guest(const struct guest *guest)
{
    return (struct audit_subject){.guest = guest};
}

static inline struct audit_subject audit_function(rid_t rid)
{
    return (struct audit_subject){.rid = rid};
}

static inline struct audit_subject audit_machine(const char *part)
{
    return (struct audit_subject){.part = part};
}

/* On a function's device, where the function that is found need not be the one that caused it. */
static inline struct audit_subject audit_unknown(rid_t rid)
{
    return (struct audit_subject){.rid = rid, .unknown = true};
}

/* Logs the violation and notes its subject; `message` must be a constant. */
void audit_violation(struct audit *audit, const char *invariant, struct audit_subject subject,
                     uint64_t where, uint64_t value, const char *message);
/* Checks one leaf of a subject's tables: it is one, and every table page on the way to it is the
 * hypervisor's. False when the leaf says nothing about memory. */
bool audit_leaf(struct audit *audit, const char *invariant, struct audit_subject subject,
                uint64_t address, const struct page_walk *walk);
/* The device of the guest that has this requester id, a context entry and its interrupt entries;
 * NULL for none. */
const struct assignment *audit_connected(const struct guest *guest, rid_t rid);
/* Whether all of [physical, physical + size) is a memory BAR of a function that the guest owns. */
bool audit_own_bar(const struct guest *guest, uint64_t physical, uint64_t size);
/* False for a function that is in reset or gone: it sends nothing, and all its registers read ones,
 * which says nothing about them. Bits 15:11 of the command register are never set otherwise. */
static inline bool audit_answers(const struct pci_function *function)
{
    return pci_config_read(function->rid, PCI_COMMAND, 2) != 0xffff;
}
/* And not in a reset that goes on or failed: what it cleared is not restored, so its registers are
 * not judged. A bridge's flag is about the bus below; its own registers keep their values. */
static inline bool audit_settled(const struct pci_function *function)
{
    return (function->is_bridge || !function->in_reset) && audit_answers(function);
}
/* Reads every unit's registers, once; what follows goes by them. */
void audit_units_read(void);
/* Whether [base, base + size) touches a unit's registers or the range of the local APICs. */
bool audit_is_platform(uint64_t base, uint64_t size);

/* audit_pci.c: BARs are where they were found and where guests have them mapped (I2). */
void audit_bars(struct audit *audit);

/* audit_iommu.c: I3, I4 and I5. */
void audit_units(struct audit *audit);
/* audit_life.c: I1, I2 and I4 as owners of functions, their devices and registers keep them. */
void audit_lives(struct audit *audit);
/* audit_functions.c: I3 and I4 as the guests' functions and the ports above them keep them. */
void audit_functions(struct audit *audit);
/* audit_pf.c: who reaches what on devices that VFs share, as their PF drivers find it. */
void audit_pf_devices(struct audit *audit);
