/* SPDX-License-Identifier: MIT */
/* A [nic] or [disk] section: is the card there, can it be split, would its VFs be reached? */
#include "boot/preflight/plan.h"

#include "boot/preflight/sriov.h"
#include "hypervisor/base/format.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/pci/pf_driver.h"
#include "hypervisor/setup/pci_bridge_window.h"

#define PAGE_SIZE_4K 1u

static bool taken(const struct pci_function *function, const struct plan_card cards[],
                  uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (cards[i].function == function)
            return true;
    return false;
}

/* By address, or the first function with the ids that no earlier section took. */
static const struct pci_function *find(const struct config_nic *nic, const struct plan_card cards[],
                                       uint32_t index)
{
    if (!nic->by_id)
        return pci_function_find(nic->rid);
    const struct pci_function *function;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++)
        if (function->vendor == nic->vendor && function->device == nic->device &&
            !taken(function, cards, index))
            return function;
    return NULL;
}

static const struct pci_function *bridge_to(const struct pci_function *pf, uint8_t bus)
{
    const struct pci_function *other;
    for (size_t i = 0; (other = pci_function_at(i)) != NULL; i++)
        if (other->is_bridge && RID_SEGMENT(other->rid) == RID_SEGMENT(pf->rid) &&
            !pci_is_behind(pf, other) && other->secondary_bus != 0 && bus >= other->secondary_bus &&
            bus <= other->subordinate_bus)
            return other;
    return NULL;
}

/* Where the last and the first VF would answer (PCIe 9.2.1.2, 7.3.1). */
static enum plan_verdict plan_ids(const struct plan_line *line, const struct pci_function *pf,
                                  const struct preflight_sriov *sriov, uint32_t vfs)
{
    const struct pci_function *bridge = pf->bridge;
    for (uint32_t i = 0; i < vfs; i++) {
        uint32_t id = (pf->rid & 0xffff) + sriov->offset[sriov->ari] +
                      (uint32_t)sriov->stride[sriov->ari] * i;
        rid_t rid = (pf->rid & 0xffff0000) | (id & 0xffff);
        uint8_t bus = RID_BUS(rid);
        if (id > 0xffff) {
            plan_say(line, PLAN_CANNOT, "its VF %u would lie past bus 255; ask for fewer", i);
            return PLAN_CANNOT;
        }
        if (bus == RID_BUS(pf->rid)) {
            if (sriov->ari || bridge == NULL || RID_DEVICE(rid) == RID_DEVICE(pf->rid))
                continue;
            plan_say(line, PLAN_CANNOT,
                     "its VFs need ARI, which the port %s above does not forward; use another slot",
                     rid_text(bridge->rid).text);
            return PLAN_CANNOT;
        }
        bool forwarded =
            bridge == NULL || (bus >= bridge->secondary_bus && bus <= bridge->subordinate_bus);
        if (forwarded && bridge_to(pf, bus) == NULL)
            continue;
        plan_say(line, PLAN_UNSURE,
                 "its VFs need bus %02x, which firmware did not give to the port above (buses "
                 "%02x-%02x): Bulkhead changes the bus numbers if some are free; a slot whose port "
                 "forwards ARI needs none",
                 bus, bridge == NULL ? 0 : bridge->secondary_bus,
                 bridge == NULL ? 0 : bridge->subordinate_bus);
        return PLAN_UNSURE;
    }
    return PLAN_CAN;
}

static bool inside(const struct bridge_window *window, uint64_t base, uint64_t size)
{
    return window->enabled && base >= window->base && base <= window->limit &&
           size - 1 <= window->limit - base;
}

/* VF BARs have the room of all VFs; firmware places them where its SR-IOV support is on. */
static enum plan_verdict plan_room(const struct plan_line *line, const struct pci_function *pf,
                                   const struct preflight_sriov *sriov, uint32_t vfs)
{
    struct bridge_window window[2] = {0};
    if (pf->bridge == NULL)
        return PLAN_CAN;
    bridge_window_read(pf->bridge, false, &window[0]);
    bridge_window_read(pf->bridge, true, &window[1]);
    for (unsigned i = 0; i < PCI_BARS; i++) {
        const struct pci_bar *bar = &sriov->bar[i];
        uint64_t size = bar->size * vfs;
        if (bar->size == 0 || (bar->base != 0 && (inside(&window[0], bar->base, size) ||
                                                  inside(&window[1], bar->base, size))))
            continue;
        plan_say(line, PLAN_UNSURE,
                 "firmware gave its VF BAR %u (%s for %u VFs) no place behind its port: Bulkhead "
                 "looks for one; SR-IOV support in the firmware set-up reserves it",
                 i, size_text(size).text, vfs);
        return PLAN_UNSURE;
    }
    return PLAN_CAN;
}

static enum plan_verdict plan_vfs(const struct plan_line *line, const struct config_nic *nic,
                                  const struct pci_function *pf)
{
    struct preflight_sriov sriov;
    const char *problem = NULL;
    if (!preflight_sriov_read(pf, &sriov))
        problem = "the device has no SR-IOV capability: without vfs it can be given whole; for VFs "
                  "fit a card that has SR-IOV";
    else if (sriov.total == 0 || sriov.total == 0xffff)
        problem = "the PF offers no VFs; look for SR-IOV in the firmware's set-up";
    else if (sriov.initial == 0 || sriov.initial > sriov.total)
        problem = "InitialVFs contradicts TotalVFs; update the card's firmware";
    else if ((sriov.pages & PAGE_SIZE_4K) == 0)
        problem = "the PF does not support 4 KiB pages";
    else if (line->facts->usable_units == 0)
        problem = plan_no_iommu(line->facts);
    else if (nic->driver == DRIVER_OURS && !plan_has_driver(pf))
        problem = "Bulkhead has no PF driver for this device: let a guest drive it (driver = guest "
                  "NAME), or add driver = none if its VFs work by themselves";
    if (problem != NULL) {
        plan_say(line, PLAN_CANNOT, "%s", problem);
        return PLAN_CANNOT;
    }
    uint32_t most = MIN((uint32_t)sriov.total, (uint32_t)PF_MAX_VFS);
    most = MIN(most, (uint32_t)sriov.initial);
    if (nic->vfs > most) {
        plan_say(line, PLAN_CANNOT, "it asks for %u VFs and %u are possible; ask for fewer",
                 nic->vfs, most);
        return PLAN_CANNOT;
    }
    enum plan_verdict verdict = plan_ids(line, pf, &sriov, nic->vfs);
    return verdict == PLAN_CAN ? plan_room(line, pf, &sriov, nic->vfs) : verdict;
}

void plan_card(const struct config *config, uint32_t index, struct plan_card cards[],
               struct preflight *facts)
{
    const struct config_nic *nic = &config->nics[index];
    char device[24];
    if (nic->by_id)
        format_text(device, sizeof device, "device = %04x:%04x", nic->vendor, nic->device);
    else
        format_text(device, sizeof device, "device = %s", rid_text(nic->rid).text);
    struct plan_line line = {facts, nic->place, nic->disk ? "disk" : "nic", nic->name, device};
    struct plan_card *card = &cards[index];
    card->function = find(nic, cards, index);
    card->verdict = PLAN_CANNOT;
    if (card->function == NULL) {
        plan_say(&line, PLAN_CANNOT,
                 "there is no such device; the pci.function lines say what there is");
        return;
    }
    if (taken(card->function, cards, index)) {
        plan_say(&line, PLAN_CANNOT, "another section names the same device");
        card->function = NULL;
        return;
    }
    card->verdict = nic->vfs == 0 ? PLAN_CAN : plan_vfs(&line, nic, card->function);
    if (card->verdict == PLAN_CAN)
        plan_say(&line, PLAN_CAN, "%s", "");
}
