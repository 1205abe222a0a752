/* SPDX-License-Identifier: MIT */
/*
 * A function's life as one state machine: which state may follow which, and what each means for who
 * has the function. A guest gets only what is clean, what a guest used comes back only through a
 * reset, and nothing leads out of what is kept back but a reboot.
 */
#include "hypervisor/pci/life.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/pci/function.h"

#define TO(state) (1u << PCI_##state)
/* What may happen in any state of a function that is not connected. */
#define ENDS (TO(UNUSABLE) | TO(QUARANTINED))

static const struct rule {
    const char *name;
    uint16_t next;  /* a bit for each state that may come next */
    bool connected; /* its context entry is present, or not known to be gone */
    bool kept_back; /* until a reboot */
} rules[PCI_LIVES] = {
    [PCI_UNKNOWN] = {"unknown", TO(CLEAN) | TO(MISPLACED) | TO(LOST) | ENDS, false, false},
    [PCI_MISPLACED] = {"misplaced", TO(MISPLACED) | ENDS, false, false},
    [PCI_CLEAN] = {"clean", TO(UNKNOWN) | TO(USED) | TO(LOST) | TO(UNCONFIRMED) | ENDS, false,
                   false},
    [PCI_USED] = {"used", TO(SILENCED) | TO(RESETTING) | TO(UNCONFIRMED) | ENDS, true, false},
    [PCI_SILENCED] = {"silenced", TO(RESETTING) | TO(UNCONFIRMED) | ENDS, true, false},
    [PCI_RESETTING] = {"resetting", TO(CLEAN) | TO(UNCONFIRMED) | ENDS, true, false},
    [PCI_LOST] = {"lost", TO(LOST) | ENDS, false, false},
    [PCI_UNUSABLE] = {"unusable", ENDS, false, true},
    [PCI_UNCONFIRMED] = {"unconfirmed", TO(UNCONFIRMED), true, true},
    [PCI_QUARANTINED] = {"quarantined", ENDS, false, true},
};

bool pci_life_set(struct pci_function *function, enum pci_life life)
{
    const struct rule *from = &rules[function->life];
    bool allowed = (from->next & 1u << life) != 0;
    if (!allowed) {
        log_event("pci.life_refused",
                  "rid=%s from=%s to=%s message=\"an operation came out of order; the function is "
                  "not used again until a reboot\"",
                  rid_text(function->rid).text, from->name, rules[life].name);
        life = from->connected ? PCI_UNCONFIRMED : PCI_UNUSABLE;
    }
    function->life = life;
    if (rules[life].kept_back)
        function->owner = OWNER_HYPERVISOR;
    return allowed;
}

bool pci_connected(const struct pci_function *function)
{
    return rules[function->life].connected;
}

bool pci_in_use(const struct pci_function *function)
{
    return function->life == PCI_USED || function->life == PCI_SILENCED;
}

bool pci_kept_back(const struct pci_function *function)
{
    return rules[function->life].kept_back;
}

bool pci_unusable(const struct pci_function *function)
{
    return pci_kept_back(function) || function->life == PCI_LOST ||
           (function->pf != NULL && pci_unusable(function->pf));
}
