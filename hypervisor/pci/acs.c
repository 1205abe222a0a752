/* SPDX-License-Identifier: MIT */
/* Access Control Services (PCIe 6.12, 7.7.7): no request turns around below the IOMMU. */
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/acs.h"

#define WANTED                                                                                     \
    (ACS_SOURCE_VALIDATION | ACS_TRANSLATION_BLOCKING | ACS_REQUEST_REDIRECT |                     \
     ACS_COMPLETION_REDIRECT | ACS_UPSTREAM_FORWARDING)
#define UNWANTED (ACS_EGRESS_CONTROL | ACS_DIRECT_TRANSLATED)
/* Without these a request could go sideways, or carry another function's id. */
#define REQUIRED                                                                                   \
    (ACS_SOURCE_VALIDATION | ACS_REQUEST_REDIRECT | ACS_COMPLETION_REDIRECT |                      \
     ACS_UPSTREAM_FORWARDING)
#define REQUIRED_INSIDE_DEVICE (ACS_REQUEST_REDIRECT | ACS_COMPLETION_REDIRECT)

void acs_enable(const struct pci_function *function)
{
    if (function->cap_acs == 0)
        return;
    uint16_t offered = pci_read16(function->rid, function->cap_acs + ACS_CAPABILITY);
    pci_update16(function->rid, function->cap_acs + ACS_CONTROL, UNWANTED, offered & WANTED);
}

/* Of these bits every one that the function has is on, and none that must stay off. */
static bool is_set(const struct pci_function *function, uint64_t bits)
{
    uint16_t offered = pci_read16(function->rid, function->cap_acs + ACS_CAPABILITY);
    uint16_t control = pci_read16(function->rid, function->cap_acs + ACS_CONTROL);
    return (offered & bits & ~(uint64_t)control) == 0 && (control & UNWANTED) == 0;
}

bool acs_is_on(const struct pci_function *function)
{
    return function->cap_acs == 0 || is_set(function, WANTED);
}

/* It sends nothing, must not be touched, and gets its bits again at the end (reset.c). One that a
 * reset of the bus took in may be in any state; after a reset that failed `in_reset` stays. */
static bool being_reset(const struct pci_function *function)
{
    return function->in_reset && !function->is_bridge &&
           (function->life == PCI_RESETTING ||
            (function->bridge != NULL && function->bridge->in_reset));
}

/* Every required bit that the port has is on. A bit that it lacks stands for a path it lacks
 * (6.12.1.1: each is mandatory exactly where the path exists). */
static bool redirects(const struct pci_function *function, uint64_t required)
{
    return function->cap_acs != 0 && (being_reset(function) || is_set(function, required));
}

/* The functions of one package: of one device number, or at the far end of one link, where ARI
 * takes the device number away. */
static bool same_device(const struct pci_function *one, const struct pci_function *other)
{
    return one->rid >> 3 == other->rid >> 3 ||
           (one->bridge != NULL && one->bridge == other->bridge &&
            pci_is_downstream_port(one->bridge));
}

/* A device with VFs that lets them reach each other, or their PF, must have ACS (9.3.7.5). */
static bool turns_inside(const struct pci_function *from, const struct pci_function *to)
{
    if (pci_physical(from) == pci_physical(to))
        return from->cap_acs != 0 && !redirects(from, REQUIRED_INSIDE_DEVICE);
    return !pci_physical(from)->no_peer_to_peer && !redirects(from, REQUIRED_INSIDE_DEVICE);
}

/* Whether the bridge above `from` may send a request of `from`, on its way up, to `to`. Between
 * root ports a request is translated first, with or without ACS (VT-d, "Root-Complex Peer to Peer
 * Considerations"); the downstream ports of a switch decide for themselves; on a conventional bus
 * every device sees every request. */
static bool turns_at(const struct pci_function *bridge, const struct pci_function *to)
{
    if (bridge->pcie_type == PCIE_TYPE_DOWNSTREAM)
        return !pci_is_behind(to, bridge) &&
               (bridge->bridge == NULL || pci_is_behind(to, bridge->bridge)) &&
               !redirects(bridge, REQUIRED);
    return bridge->pcie_type != PCIE_TYPE_UPSTREAM && bridge->pcie_type != PCIE_TYPE_ROOT_PORT &&
           pci_is_behind(to, bridge);
}

bool acs_reaches(const struct pci_function *from, const struct pci_function *to,
                 const struct pci_function **culprit)
{
    *culprit = from;
    if (same_device(pci_physical(from), pci_physical(to)) && turns_inside(from, to))
        return true;
    PCI_FOR_EACH_UPWARD (bridge, from->bridge) {
        *culprit = bridge;
        if (turns_at(bridge, to))
            return true;
    }
    *culprit = NULL;
    return false;
}
