/* SPDX-License-Identifier: MIT */
/* A function's life: what is known of its state, and so who may have it. */
#pragma once

#include "hypervisor/base/core.h"

/* life.c has the transitions. */
enum pci_life {
    PCI_UNKNOWN,   /* as firmware or a driver left it: reset before a guest gets it */
    PCI_MISPLACED, /* a BAR lies where others answer, or where no bridge sends its accesses */
    PCI_CLEAN,     /* reset, and nobody has used it since */
    PCI_USED,      /* its guest's context entry is present */
    PCI_SILENCED,  /* likewise, but policy took bus mastering away until the next start */
    PCI_RESETTING, /* bus mastering off; the context entry is still there */
    PCI_LOST,      /* a PF that its driver cannot reach any more; its VFs are being blocked */
    /* Nobody's until a reboot: */
    PCI_UNUSABLE,    /* its reset failed, or its PF is lost */
    PCI_UNCONFIRMED, /* its unit has not confirmed that its context entry is gone */
    PCI_QUARANTINED, /* by the audit */
    PCI_LIVES,
};

struct pci_function;

/* False, with the reason logged, for a step that the table of transitions does not have: the
 * function is kept back then. What is kept back belongs to the hypervisor from then on. */
MUST_CHECK bool pci_life_set(struct pci_function *function, enum pci_life life);
/* Its context entry is present for its guest, or not known to be gone from the unit's caches. */
bool pci_connected(const struct pci_function *function);
/* Its guest has a say in it. */
bool pci_in_use(const struct pci_function *function);
/* Nobody's until a reboot. */
bool pci_kept_back(const struct pci_function *function);
/* Kept back, a lost PF, or a VF of such a PF. */
bool pci_unusable(const struct pci_function *function);
#define PCI_UNTIL_REBOOT "only a reboot makes it usable" /* for messages */
