/* SPDX-License-Identifier: MIT */
/* Isolation groups. Who reaches whom does not change any more: the bits that decide it are set, and
 * the audit holds them. */
#include "hypervisor/memory/pages.h"
#include "hypervisor/pci/acs.h"
#include "hypervisor/setup/pci.h"

static const struct pci_function *members[PCI_MAX_FUNCTIONS];

static bool is_member(const struct pci_function *function, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (members[i] == function)
            return true;
    return false;
}

/* What reaches a member, or is reached from one, is a member. What comes before `first` in the
 * table has its group, or would have taken `first` into one. */
static size_t close_group(size_t first, const struct pci_function **culprit)
{
    size_t count = 1;
    members[0] = pci_function_at(first);
    *culprit = NULL;
    for (size_t done = 0; done < count; done++) {
        const struct pci_function *other, *place;
        for (size_t i = first + 1; (other = pci_function_at(i)) != NULL; i++) {
            if (is_member(other, count) || pci_is_bridge(other) ||
                (!acs_reaches(members[done], other, &place) &&
                 !acs_reaches(other, members[done], &place)))
                continue;
            *culprit = *culprit != NULL ? *culprit : place;
            members[count++] = other;
        }
    }
    return count;
}

/* In the table's order, so that the first member is the one that comes first there. */
static enum status make_group(size_t count, const struct pci_function *culprit)
{
    size_t size = sizeof(struct acs_group) + count * sizeof members[0];
    struct acs_group *group = pages_allocate(ALIGN_UP(size, PAGE_SIZE) / PAGE_SIZE);
    if (group == NULL)
        return STATUS_NO_MEMORY;
    group->culprit = culprit;
    for (size_t i = 0; pci_function_at(i) != NULL; i++)
        if (is_member(pci_function_at(i), count)) {
            pci_function_at(i)->group = group;
            group->members[group->count++] = pci_function_at(i);
        }
    return STATUS_OK;
}

enum status acs_find_groups(void)
{
    const struct pci_function *first, *culprit;
    for (size_t i = 0; (first = pci_function_at(i)) != NULL; i++) {
        if (first->group != NULL || pci_is_bridge(first))
            continue;
        size_t count = close_group(i, &culprit);
        if (count > 1 && make_group(count, culprit) != STATUS_OK)
            return STATUS_NO_MEMORY;
    }
    return STATUS_OK;
}
