/*
 * The table of functions. Entries never move: others keep pointers to them (`bridge`, `pf`, a
 * guest's devices); removal only takes an entry out of the order.
 */
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/function.h"

#include "hypervisor/base/string.h"

static struct pci_function slots[PCI_MAX_FUNCTIONS];
static bool used[PCI_MAX_FUNCTIONS];
static struct pci_function *order[PCI_MAX_FUNCTIONS];
static size_t count;

void pci_functions_clear(void)
{
    memset(used, 0, sizeof used);
    count = 0;
}

size_t pci_function_count(void)
{
    return count;
}

struct pci_function *pci_function_at(size_t index)
{
    return index < count ? order[index] : NULL;
}

struct pci_function *pci_function_find(rid_t rid)
{
    for (size_t i = 0; i < count; i++)
        if (order[i]->rid == rid)
            return order[i];
    return NULL;
}

struct pci_function *pci_function_add(const struct pci_function *function)
{
    if (pci_function_find(function->rid) != NULL)
        return NULL;
    for (size_t i = 0; i < PCI_MAX_FUNCTIONS; i++) {
        if (used[i])
            continue;
        used[i] = true;
        slots[i] = *function;
        order[count++] = &slots[i];
        return &slots[i];
    }
    return NULL;
}

void pci_functions_remove_vfs(const struct pci_function *pf)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (order[i]->is_vf && order[i]->pf == pf)
            used[order[i] - slots] = false;
        else
            order[kept++] = order[i];
    }
    count = kept;
}

int pci_secondary_bus(uint16_t segment, uint16_t rid, void *context)
{
    (void)context;
    const struct pci_function *function = pci_function_find((rid_t)segment << 16 | rid);
    return function != NULL && function->is_bridge ? function->secondary_bus : -1;
}

uint16_t pci_device_control2(rid_t rid, uint16_t cap_pcie)
{
    return cap_pcie != 0 && cap_pcie + PCIE_DEVICE_CONTROL2 + 2 <= PCI_LEGACY_SIZE &&
                   (pci_read16(rid, cap_pcie + PCIE_CAPABILITIES) & 0xf) >= 2
               ? (uint16_t)(cap_pcie + PCIE_DEVICE_CONTROL2)
               : 0;
}

void pci_command_set(const struct pci_function *function, uint16_t set, uint16_t clear)
{
    /* A bridge forwards downstream only with Memory Space on, and upstream only with Bus Master on
     * (PCIe 7.5.1.1.3); firmware that started no driver below it may have left both off. */
    uint16_t forward =
        set & (uint16_t)(PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_BUS_MASTER);
    PCI_FOR_EACH_UPWARD (bridge, forward != 0 ? function->bridge : NULL)
        pci_update16(bridge->rid, PCI_COMMAND, 0, forward);
    pci_update16(function->rid, PCI_COMMAND, clear, set);
}

void pci_bus_master(const struct pci_function *function, bool on)
{
    uint16_t bit = (uint16_t)PCI_COMMAND_BUS_MASTER;
    pci_command_set(function, on ? bit : 0, on ? 0 : bit);
}
