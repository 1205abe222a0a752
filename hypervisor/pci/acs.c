/* Access Control Services (PCIe 6.12, 7.7.7): no request turns around below the IOMMU. */
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/pci/config_space.h"

#define WANTED                                                                                     \
    (ACS_SOURCE_VALIDATION | ACS_TRANSLATION_BLOCKING | ACS_REQUEST_REDIRECT |                     \
     ACS_COMPLETION_REDIRECT | ACS_UPSTREAM_FORWARDING)
#define UNWANTED (ACS_EGRESS_CONTROL | ACS_DIRECT_TRANSLATED)
/* Without these a request could go sideways, or carry another function's id. */
#define REQUIRED                                                                                   \
    (ACS_SOURCE_VALIDATION | ACS_REQUEST_REDIRECT | ACS_COMPLETION_REDIRECT |                      \
     ACS_UPSTREAM_FORWARDING)
#define REQUIRED_INSIDE_DEVICE (ACS_REQUEST_REDIRECT | ACS_COMPLETION_REDIRECT)

/* Multi-function devices whose maker states that their functions never talk to each other, though
 * they have no ACS capability to say so. */
static const struct {
    uint16_t vendor, device;
} no_peer_to_peer[] = {
    /* Intel 82576 */
    {0x8086, 0x10c9}, {0x8086, 0x10e6}, {0x8086, 0x10e7}, {0x8086, 0x10e8},
    {0x8086, 0x150a}, {0x8086, 0x150d}, {0x8086, 0x1518}, {0x8086, 0x1526},
};

static bool is_downstream_port(const struct pci_function *function)
{
    return function->pcie_type == PCIE_TYPE_ROOT_PORT ||
           function->pcie_type == PCIE_TYPE_DOWNSTREAM;
}

void acs_enable(const struct pci_function *function)
{
    if (function->cap_acs == 0)
        return;
    uint16_t offered = pci_read16(function->rid, function->cap_acs + ACS_CAPABILITY);
    pci_update16(function->rid, function->cap_acs + ACS_CONTROL, UNWANTED, offered & WANTED);
}

void acs_enable_all(void)
{
    const struct pci_function *function;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++) {
        if (function->cap_acs == 0)
            continue;
        acs_enable(function);
        log_event("acs.enabled", "rid=%s offered=%#x control=%#x", rid_text(function->rid).text,
                  pci_read16(function->rid, function->cap_acs + ACS_CAPABILITY),
                  pci_read16(function->rid, function->cap_acs + ACS_CONTROL));
    }
}

/* Every required bit that the port has is on. A bit that it lacks stands for a path it lacks
 * (6.12.1.1: each is mandatory exactly where the path exists). */
static bool redirects(const struct pci_function *function, uint64_t required)
{
    if (function->cap_acs == 0)
        return false;
    uint16_t offered = pci_read16(function->rid, function->cap_acs + ACS_CAPABILITY);
    uint16_t control = pci_read16(function->rid, function->cap_acs + ACS_CONTROL);
    return (offered & required & ~(uint64_t)control) == 0 && (control & UNWANTED) == 0;
}

static bool has_siblings(const struct pci_function *function)
{
    const struct pci_function *other;
    for (size_t i = 0; (other = pci_function_at(i)) != NULL; i++)
        if (other != function && !other->is_vf && other->rid >> 3 == function->rid >> 3)
            return true;
    return false;
}

static bool device_isolated(const struct pci_function *function)
{
    /* A device with VFs that lets them talk to each other must have ACS (9.3.7.5). */
    if (function->is_vf || !has_siblings(function))
        return function->cap_acs == 0 || redirects(function, REQUIRED_INSIDE_DEVICE);
    for (size_t i = 0; i < ARRAY_SIZE(no_peer_to_peer); i++)
        if (function->vendor == no_peer_to_peer[i].vendor &&
            function->device == no_peer_to_peer[i].device)
            return true;
    return redirects(function, REQUIRED_INSIDE_DEVICE);
}

bool acs_isolated(const struct pci_function *function, const struct pci_function **culprit)
{
    *culprit = NULL;
    if (!device_isolated(function)) {
        *culprit = function;
        return false;
    }
    const struct pci_function *bridge = function->bridge;
    for (unsigned depth = 0; bridge != NULL && depth < 256; depth++) {
        /* An upstream port has one link and the switch's inside; the downstream ports decide. */
        bool passes = bridge->pcie_type == PCIE_TYPE_UPSTREAM ||
                      (is_downstream_port(bridge) && redirects(bridge, REQUIRED));
        if (!passes) {
            *culprit = bridge;
            return false;
        }
        bridge = bridge->bridge;
    }
    return true;
}
