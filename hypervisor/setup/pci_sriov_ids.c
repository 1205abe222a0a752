/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/pci_sriov_ids.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/setup/pci_sriov.h"

enum status sriov_refuse(const struct pci_function *pf, unsigned offset, uint32_t value,
                         enum status status, const char *message)
{
    log_event("sriov.refused", "pf=%s offset=%#x value=%#x message=\"%s\"", rid_text(pf->rid).text,
              pf->cap_sriov + offset, value, message);
    return status;
}

static bool port_forwards_ari(const struct pci_function *port)
{
    unsigned control = pci_device_control2(port->rid, port->cap_pcie);
    if (!pci_is_downstream_port(port) || control == 0 ||
        (pci_read32(port->rid, port->cap_pcie + PCIE_DEVICE_CAP2) & PCIE_DEVICE_CAP2_ARI) == 0)
        return false;
    pci_update16(port->rid, control, 0, PCIE_DEVICE_CONTROL2_ARI);
    return (pci_read16(port->rid, control) & PCIE_DEVICE_CONTROL2_ARI) != 0;
}

bool sriov_enable_ari(const struct pci_function *pf)
{
    if (pf->cap_ari == 0 || (pf->bridge != NULL && !port_forwards_ari(pf->bridge)))
        return false;
    /* The bit exists in the lowest-numbered PF of a device only and governs all of them. */
    const struct pci_function *lowest = pf, *other;
    for (size_t i = 0; (other = pci_function_at(i)) != NULL; i++) {
        bool same_device =
            pf->bridge != NULL ? other->rid >> 8 == pf->rid >> 8 : other->rid >> 3 == pf->rid >> 3;
        if (same_device && !other->is_vf && other->cap_sriov != 0 && other->rid < lowest->rid)
            lowest = other;
    }
    unsigned control = lowest->cap_sriov + SRIOV_CONTROL;
    if ((pci_read16(lowest->rid, control) & SRIOV_CONTROL_VF_ENABLE) == 0)
        pci_update16(lowest->rid, control, 0, SRIOV_CONTROL_ARI);
    if (lowest != pf)
        pci_update16(pf->rid, pf->cap_sriov + SRIOV_CONTROL, 0, SRIOV_CONTROL_ARI);
    return true;
}

bool sriov_last_bus(const struct pci_function *pf, uint16_t vfs, unsigned *bus)
{
    unsigned capability = pf->cap_sriov;
    uint16_t total = pci_read16(pf->rid, capability + SRIOV_TOTAL_VFS);
    if (vfs == 0 || total == 0xffff || vfs > total)
        return false;
    (void)sriov_enable_ari(pf);
    pci_config_write(pf->rid, capability + SRIOV_NUM_VFS, 2, vfs); /* the two depend on it */
    uint32_t offset = pci_read16(pf->rid, capability + SRIOV_FIRST_OFFSET);
    uint32_t stride = pci_read16(pf->rid, capability + SRIOV_STRIDE);
    pci_config_write(pf->rid, capability + SRIOV_NUM_VFS, 2, 0);
    uint32_t last = (pf->rid & 0xffff) + offset + stride * (vfs - 1u);
    *bus = last >> 8;
    return last <= 0xffff;
}

rid_t sriov_vf_rid(const struct sriov *sriov, uint16_t index)
{
    uint32_t id = (sriov->pf->rid & 0xffff) + sriov->first_offset + (uint32_t)sriov->stride * index;
    return (sriov->pf->rid & 0xffff0000) | (id & 0xffff);
}

/* A bus other than the PF's own must reach the device and nobody else: inside what the bridge above
 * forwards, and behind no other bridge. */
static const char *bus_problem(const struct pci_function *pf, uint8_t bus)
{
    if (bus == RID_BUS(pf->rid))
        return NULL;
    if (pf->bridge != NULL &&
        (bus < pf->bridge->secondary_bus || bus > pf->bridge->subordinate_bus))
        return "the VF's bus number is not forwarded by the bridge above, whose range could not "
               "be widened; use another slot or fewer VFs";
    const struct pci_function *other;
    for (size_t i = 0; (other = pci_function_at(i)) != NULL; i++)
        if (other->is_bridge && RID_SEGMENT(other->rid) == RID_SEGMENT(pf->rid) &&
            !pci_is_behind(pf, other) && other->secondary_bus != 0 && bus >= other->secondary_bus &&
            bus <= other->subordinate_bus)
            return "the VF's bus number belongs to another bridge";
    return NULL;
}

static const char *id_problem(const struct sriov *sriov, uint16_t index)
{
    const struct pci_function *pf = sriov->pf;
    uint32_t id = (pf->rid & 0xffff) + sriov->first_offset + (uint32_t)sriov->stride * index;
    if (id > 0xffff)
        return "VF requester ids run past bus 255";
    rid_t rid = sriov_vf_rid(sriov, index);
    if (pci_function_find(rid) != NULL)
        return "a VF would have the requester id of another function";
    /* Behind a port without ARI only device 0 of its bus is reached (PCIe 7.3.1). */
    if (!sriov->ari && pf->bridge != NULL && pf->bridge->pcie_type != PCIE_TYPE_TO_PCI_BRIDGE &&
        RID_BUS(rid) == RID_BUS(pf->rid) && RID_DEVICE(rid) != RID_DEVICE(pf->rid))
        return "the VFs need ARI, which the port above does not forward; use another slot";
    return bus_problem(pf, RID_BUS(rid));
}

enum status sriov_check_ids(const struct sriov *sriov, uint16_t vfs)
{
    if (vfs > 1 && sriov->stride == 0)
        return sriov_refuse(sriov->pf, SRIOV_STRIDE, 0, STATUS_INVALID,
                            "stride 0 with more than one VF");
    for (uint16_t i = 0; i < vfs; i++) {
        const char *problem = id_problem(sriov, i);
        if (problem == NULL)
            continue;
        log_event(
            "sriov.refused", "pf=%s offset=%#x value=%u vf=%u rid=%s stride=%u message=\"%s\"",
            rid_text(sriov->pf->rid).text, sriov->pf->cap_sriov + SRIOV_FIRST_OFFSET,
            sriov->first_offset, i, rid_text(sriov_vf_rid(sriov, i)).text, sriov->stride, problem);
        return STATUS_INVALID;
    }
    return STATUS_OK;
}
