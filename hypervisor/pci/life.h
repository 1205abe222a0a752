/* What is known of a function's state, and so who may have it. */
#pragma once

#include "hypervisor/base/core.h"

/* life.c has the transitions. */
enum pci_life {
    PCI_UNKNOWN,   /* as firmware or a driver left it: reset before a guest gets it */
    PCI_CLEAN,     /* reset, and nobody has used it since */
    PCI_USED,      /* its guest's context entry is present */
    PCI_RESETTING, /* bus mastering off; the context entry is still there */
    PCI_UNUSABLE, /* its reset failed, its unit did not let it go, or its PF is lost: nobody's until
                     a reboot */
    PCI_LIVES,
};

struct pci_function;

/* False, with the reason logged, for a step that the table of transitions does not have: the
 * function is unusable then. What is unusable belongs to the hypervisor from then on. */
MUST_CHECK bool pci_life_set(struct pci_function *function, enum pci_life life);
/* Unusable itself, or a VF of a PF that is. */
bool pci_unusable(const struct pci_function *function);
const char *pci_life_name(enum pci_life life);
#define PCI_UNTIL_REBOOT "only a reboot makes it usable" /* for messages */
