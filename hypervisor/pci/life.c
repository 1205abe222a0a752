/*
 * A function's life as one state machine: which state may follow which. A guest gets only what is
 * clean, what a guest used comes back only through a reset, and nothing leads out of "unusable" but
 * a reboot.
 */
#include "hypervisor/pci/life.h"
#include "hypervisor/pci/function.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"

static const char *const names[PCI_LIVES] = {
    [PCI_UNKNOWN] = "unknown",     [PCI_CLEAN] = "clean",       [PCI_USED] = "used",
    [PCI_RESETTING] = "resetting", [PCI_UNUSABLE] = "unusable",
};

/* A bit for each state that may come next. */
static const uint8_t transitions[PCI_LIVES] = {
    [PCI_UNKNOWN] = 1 << PCI_CLEAN | 1 << PCI_UNUSABLE,
    [PCI_CLEAN] = 1 << PCI_UNKNOWN | 1 << PCI_USED | 1 << PCI_UNUSABLE,
    [PCI_USED] = 1 << PCI_RESETTING | 1 << PCI_UNUSABLE,
    [PCI_RESETTING] = 1 << PCI_CLEAN | 1 << PCI_UNUSABLE,
    [PCI_UNUSABLE] = 1 << PCI_UNUSABLE,
};

const char *pci_life_name(enum pci_life life)
{
    return names[life];
}

bool pci_life_set(struct pci_function *function, enum pci_life life)
{
    bool allowed = (transitions[function->life] & 1 << life) != 0;
    if (!allowed)
        log_event("pci.life_refused",
                  "rid=%s from=%s to=%s message=\"an operation came out of order; the function is "
                  "not used again until a reboot\"",
                  rid_text(function->rid).text, names[function->life], names[life]);
    function->life = allowed ? life : PCI_UNUSABLE;
    if (function->life == PCI_UNUSABLE)
        function->owner = OWNER_HYPERVISOR;
    return allowed;
}

bool pci_unusable(const struct pci_function *function)
{
    return function->life == PCI_UNUSABLE ||
           (function->is_vf && function->pf != NULL && function->pf->life == PCI_UNUSABLE);
}
