/* SPDX-License-Identifier: MIT */
/* What all parts of the audit ask and tell. */
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/audit/audit_internal.h"

static void note_function(struct audit_findings *found, rid_t rid)
{
    for (size_t i = 0; i < pci_function_count(); i++)
        if (pci_function_at(i)->rid == rid) {
            found->functions[i / 64] |= BIT(i % 64);
            return;
        }
    for (unsigned i = 0; i < found->stranger_count; i++)
        if (found->strangers[i] == rid)
            return;
    if (found->stranger_count < AUDIT_MAX_STRANGERS)
        found->strangers[found->stranger_count++] = rid;
    else
        found->machine = true;
}

void audit_violation(struct audit *audit, const char *invariant, struct audit_subject subject,
                     uint64_t where, uint64_t value, const char *message)
{
    const struct short_text rid = rid_text(subject.rid);
    const char *name = subject.guest != NULL  ? subject.guest->name
                       : subject.part != NULL ? subject.part
                                              : rid.text;
    struct audit_findings *found = &audit->findings;
    found->violations++;
    audit_check(audit, invariant)->violated++;
    if (subject.guest != NULL)
        found->guests |= BIT(subject.guest->index);
    else if (subject.part != NULL)
        found->machine = true;
    else if (!subject.unknown)
        note_function(found, subject.rid);
    log_event("audit.violation", "invariant=%s subject=%s where=%#lx value=%#lx message=\"%s\"",
              invariant, name, where, value, message);
}

bool audit_leaf(struct audit *audit, const char *invariant, struct audit_subject subject,
                uint64_t address, const struct page_walk *walk)
{
    audit->leaves++;
    audit_check(audit, invariant)->looked++;
    for (unsigned i = 0; i < walk->steps; i++)
        if (frames_owner(walk->step[i].entry_address) != OWNER_HYPERVISOR)
            audit_violation(audit, invariant, subject, walk->step[i].entry_address,
                            walk->step[i].entry,
                            "a table lies in memory that is not the hypervisor's");
    if (!walk->present)
        audit_violation(audit, invariant, subject, address, walk->physical,
                        "an entry points at a table outside the hypervisor's memory");
    return walk->present;
}

const struct assignment *audit_connected(const struct guest *guest, rid_t rid)
{
    const struct assignment *assignment = guest != NULL ? assignment_of(guest, rid) : NULL;
    return assignment != NULL && pci_connected(assignment->function) ? assignment : NULL;
}

bool audit_own_bar(const struct guest *guest, uint64_t physical, uint64_t size)
{
    for (unsigned i = 0; i < guest->assignment_count; i++) {
        const struct pci_function *function = guest->assignments[i]->function;
        for (unsigned number = 0; number < PCI_BARS; number++) {
            const struct pci_bar *bar = &function->bar[number];
            if (function->owner == guest->owner && !bar->io && bar->base != 0 &&
                physical >= bar->base && physical - bar->base < bar->size &&
                size <= bar->size - (physical - bar->base))
                return true;
        }
    }
    return false;
}
