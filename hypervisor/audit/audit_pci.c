/* SPDX-License-Identifier: MIT */
/* The audit of where registers lie: what configuration space says now, against what guests have
 * mapped and what was found at boot. A device can have ways to its BARs that no emulation of
 * configuration space sees (indirect access by its own registers, or a firmware's). */
#include "hypervisor/audit/audit_internal.h"

#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/function.h"

/* A reset clears BARs; they come back before anybody is given the function. A VF's are its PF's. */
static bool readable(const struct pci_function *function)
{
    bool lost = function->is_vf && function->pf == NULL;
    return !lost && !function->in_reset && audit_settled(pci_physical(function));
}

/* Whether it answers at its memory BARs at all. VFs have one bit for all, in their PF (9.3.3.3). */
static bool decodes(const struct pci_function *function)
{
    if (function->is_vf)
        return (pci_read16(function->pf->rid, function->pf->cap_sriov + SRIOV_CONTROL) &
                SRIOV_CONTROL_VF_MEMORY) != 0;
    return (pci_read16(function->rid, PCI_COMMAND) & PCI_COMMAND_MEMORY) != 0;
}

static void audit_places(struct audit *audit, const struct pci_function *function)
{
    for (unsigned i = 0; i < PCI_BARS; i++) {
        const struct pci_bar *bar = &function->bar[i];
        if (bar->io || bar->base == 0 || bar->size == 0)
            continue;
        uint64_t now = pci_bar_now(function, i);
        if (now != bar->base)
            audit_violation(
                audit, "I2", audit_function(function->rid), bar->base, now,
                "a BAR was moved past the hypervisor: it may answer in the place of others");
    }
}

/* Every leaf over a device's BAR leads where the device answers now. */
static void audit_mapping(struct audit *audit, const struct assignment *assignment, unsigned number)
{
    const struct guest_bar *bar = &assignment->bars[number];
    const struct guest *guest = assignment->guest;
    uint64_t now = pci_bar_now(assignment->function, number), at = bar->guest_base;
    struct page_walk walk;
    for (; page_table_next(&guest->memory, &at, &walk) && at - bar->guest_base < bar->size;
         at += walk.page_size)
        if (walk.present && walk.physical - now != at - bar->guest_base)
            audit_violation(audit, "I2", audit_guest(guest), at, walk.physical,
                            "a BAR is mapped elsewhere than where its device answers");
}

void audit_bars(struct audit *audit)
{
    const struct pci_function *function;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++)
        if (readable(function) && decodes(function))
            audit_places(audit, function);
    for (unsigned i = 0; guest_at(i) != NULL; i++)
        for (unsigned n = 0; n < guest_at(i)->assignment_count; n++) {
            const struct assignment *assignment = guest_at(i)->assignments[n];
            for (unsigned number = 0; readable(assignment->function) && number < PCI_BARS; number++)
                if (assignment->bars[number].size != 0)
                    audit_mapping(audit, assignment, number);
        }
}
