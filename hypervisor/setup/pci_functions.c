/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/pci_functions.h"

#include "hypervisor/memory/pages.h"
#include "hypervisor/pci/discovery.h"

/* Room that is kept for what is found late. A machine of several sockets has hundreds of functions
 * that nobody can use; behind bridges that are found after them are the cards. */
#define PERIPHERAL_LIMIT (PCI_MAX_FUNCTIONS / 2)
#define ENDPOINT_LIMIT   (PCI_MAX_FUNCTIONS * 3 / 4) /* the rest: bridges and VFs */

/* Pages for entries are taken as they are needed: most machines have a few dozen functions. */
#define CHUNK_PAGES 4
#define CHUNK_SIZE  (CHUNK_PAGES * PAGE_SIZE)
#define CHUNK_COUNT (CHUNK_SIZE / sizeof(struct pci_function))

static struct pci_function *chunk; /* the newest */
static size_t chunk_used;
static struct pci_function *spare[PCI_MAX_FUNCTIONS]; /* entries that were given back */
static size_t spare_count;

void pci_functions_clear(void)
{
    while (pci_functions.count > 0)
        spare[spare_count++] = pci_functions.order[--pci_functions.count];
}

static struct pci_function *take_entry(void)
{
    if (spare_count > 0)
        return spare[--spare_count];
    if (chunk == NULL || chunk_used == CHUNK_COUNT) {
        chunk = pages_allocate(CHUNK_PAGES);
        chunk_used = 0;
    }
    return chunk != NULL ? &chunk[chunk_used++] : NULL;
}

bool pci_is_peripheral(const struct pci_function *function)
{
    unsigned base = function->class_code >> 16;
    return base == PCI_CLASS_PERIPHERAL || base == PCI_CLASS_SIGNAL;
}

static size_t limit_of(const struct pci_function *function)
{
    if (function->is_bridge || function->is_vf)
        return PCI_MAX_FUNCTIONS;
    return pci_is_peripheral(function) ? PERIPHERAL_LIMIT : ENDPOINT_LIMIT;
}

struct pci_function *pci_function_add(const struct pci_function *function)
{
    if (pci_functions.count >= limit_of(function) || pci_function_find(function->rid) != NULL)
        return NULL;
    struct pci_function *entry = take_entry();
    if (entry == NULL)
        return NULL;
    *entry = *function;
    size_t at = pci_functions.count++;
    for (; at > 0 && pci_functions.order[at - 1]->rid > entry->rid; at--)
        pci_functions.order[at] = pci_functions.order[at - 1];
    pci_functions.order[at] = entry;
    return entry;
}

void pci_functions_sort(void)
{
    for (size_t i = 1; i < pci_functions.count; i++) {
        struct pci_function *function = pci_functions.order[i];
        size_t at = i;
        for (; at > 0 && pci_functions.order[at - 1]->rid > function->rid; at--)
            pci_functions.order[at] = pci_functions.order[at - 1];
        pci_functions.order[at] = function;
    }
}

void pci_functions_remove_vfs(const struct pci_function *pf)
{
    size_t kept = 0;
    for (size_t i = 0; i < pci_functions.count; i++) {
        struct pci_function *function = pci_functions.order[i];
        if (function->is_vf && function->pf == pf)
            spare[spare_count++] = function;
        else
            pci_functions.order[kept++] = function;
    }
    pci_functions.count = kept;
}

int pci_secondary_bus(uint16_t segment, uint16_t rid, void *context)
{
    (void)context;
    const struct pci_function *function = pci_function_find((rid_t)segment << 16 | rid);
    return function != NULL && function->is_bridge ? function->secondary_bus : -1;
}
