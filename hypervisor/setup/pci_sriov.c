/* SPDX-License-Identifier: MIT */
/* SR-IOV: the order of PCIe 9.3.3 and what can go wrong at each step. */
#include "hypervisor/setup/pci_sriov.h"

#include "hypervisor/base/clock.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/setup/pci_capabilities.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/pci/acs.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/setup/pci_placement.h"
#include "hypervisor/setup/pci_sriov_ids.h"
#include "hypervisor/setup/pci_functions.h"
#include "hypervisor/setup/pci_bars.h"
#include "hypervisor/setup/pci_sriov.h"

#define VF_READY_TIME   MILLISECONDS(100)  /* PCIe 9.3.3.3.1: after setting VF Enable */
#define VF_DISABLE_TIME MILLISECONDS(1000) /* the same: after clearing it */
#define VF_ANSWER_TIME  MILLISECONDS(1000)
#define PAGE_SIZE_4K    BIT(0)

static uint16_t read_field(const struct sriov *sriov, unsigned offset)
{
    return pci_read16(sriov->pf->rid, sriov->pf->cap_sriov + offset);
}

/* VF Enable and VF Memory off; waits when VFs were there. */
static void vfs_off(const struct pci_function *pf)
{
    unsigned control = pf->cap_sriov + SRIOV_CONTROL;
    bool enabled = (pci_read16(pf->rid, control) & SRIOV_CONTROL_VF_ENABLE) != 0;
    pci_update16(pf->rid, control, SRIOV_CONTROL_VF_ENABLE | SRIOV_CONTROL_VF_MEMORY, 0);
    if (enabled)
        clock_delay(VF_DISABLE_TIME);
}

/* NumVFs can only change while VF Enable is clear; offset and stride follow from it. */
static enum status set_count(struct sriov *sriov, uint16_t vfs)
{
    const struct pci_function *pf = sriov->pf;
    pci_config_write(pf->rid, pf->cap_sriov + SRIOV_NUM_VFS, 2, vfs);
    uint16_t taken = read_field(sriov, SRIOV_NUM_VFS);
    if (taken != vfs)
        return sriov_refuse(pf, SRIOV_NUM_VFS, taken, STATUS_DEVICE,
                            "the device does not take the number of VFs");
    sriov->first_offset = read_field(sriov, SRIOV_FIRST_OFFSET);
    sriov->stride = read_field(sriov, SRIOV_STRIDE);
    return STATUS_OK;
}

static void clear_count(const struct sriov *sriov)
{
    pci_config_write(sriov->pf->rid, sriov->pf->cap_sriov + SRIOV_NUM_VFS, 2, 0);
}

enum status sriov_probe(struct pci_function *pf, struct sriov *sriov)
{
    if (pf->cap_sriov == 0 || pf->is_vf)
        return STATUS_NOT_FOUND;
    if (OWNER_IS_GUEST(pf->owner))
        return STATUS_BUSY;
    *sriov = (struct sriov){.pf = pf};
    vfs_off(pf);
    sriov->total_vfs = read_field(sriov, SRIOV_TOTAL_VFS);
    sriov->initial_vfs = read_field(sriov, SRIOV_INITIAL_VFS);
    uint32_t pages = pci_read32(pf->rid, pf->cap_sriov + SRIOV_SUPPORTED_PAGES);
    uint16_t vf_device = read_field(sriov, SRIOV_VF_DEVICE_ID);
    if (sriov->total_vfs == 0 || sriov->total_vfs == 0xffff)
        return sriov_refuse(pf, SRIOV_TOTAL_VFS, sriov->total_vfs, STATUS_UNSUPPORTED,
                            "the PF offers no VFs; look for SR-IOV in the firmware's set-up");
    if (sriov->initial_vfs == 0 || sriov->initial_vfs > sriov->total_vfs)
        return sriov_refuse(pf, SRIOV_INITIAL_VFS, sriov->initial_vfs, STATUS_INVALID,
                            "InitialVFs contradicts TotalVFs");
    if ((pages & PAGE_SIZE_4K) == 0)
        return sriov_refuse(pf, SRIOV_SUPPORTED_PAGES, pages, STATUS_UNSUPPORTED,
                            "the PF does not support 4 KiB pages");
    if (vf_device == 0 || vf_device == 0xffff)
        return sriov_refuse(pf, SRIOV_VF_DEVICE_ID, vf_device, STATUS_INVALID,
                            "the VF device id is missing");
    sriov->ari = sriov_enable_ari(pf);
    enum status status = set_count(sriov, 1);
    if (status == STATUS_OK)
        status = sriov_check_ids(sriov, 1);
    clear_count(sriov);
    if (status == STATUS_OK)
        pf->owner = OWNER_HYPERVISOR;
    return status;
}

static enum status place_bar(struct sriov *sriov, unsigned index, uint16_t vfs)
{
    struct pci_bar *bar = &sriov->vf_bar[index];
    const struct pci_function *pf = sriov->pf;
    unsigned offset = SRIOV_VF_BAR0 + 4 * index;
    if (bar->io)
        return sriov_refuse(pf, offset, (uint32_t)bar->base, STATUS_INVALID,
                            "a VF BAR is an I/O BAR");
    if (bar->size < PAGE_SIZE)
        return sriov_refuse(pf, offset, (uint32_t)bar->size, STATUS_UNSUPPORTED,
                            "VFs would share a page of registers");
    if (bar->size > BIT(52) / vfs)
        return sriov_refuse(pf, offset, (uint32_t)(bar->size >> 32), STATUS_INVALID,
                            "the VF BAR is larger than any address space");
    uint64_t size = bar->size * vfs, base = bar->base;
    bool moved = !placement_acceptable(pf, bar, size);
    if (moved && placement_find(pf, bar, size, &base) != STATUS_OK) {
        log_event(
            "sriov.refused",
            "pf=%s offset=%#x value=%#lx bar=%u vfs=%u size=%s message=\"the VF BAR fits nowhere "
            "behind its bridge; ask for fewer VFs or let the firmware reserve SR-IOV resources\"",
            rid_text(pf->rid).text, pf->cap_sriov + offset, bar->base, index, vfs,
            size_text(size).text);
        return STATUS_NO_MEMORY;
    }
    if (!placement_reserve(pf, base, size))
        return STATUS_FULL;
    pci_bar_write(pf->rid, pf->cap_sriov + offset, bar, base);
    if (moved)
        log_event("sriov.placed", "pf=%s bar=%u base=%#lx size=%s", rid_text(pf->rid).text, index,
                  base, size_text(size).text);
    bar->base = base;
    return STATUS_OK;
}

static enum status place_bars(struct sriov *sriov, uint16_t vfs)
{
    const struct pci_function *pf = sriov->pf;
    /* VF BARs are at least a system page (PCIe 9.3.3.13): the size is read after it is set. */
    pci_config_write(pf->rid, pf->cap_sriov + SRIOV_SYSTEM_PAGE, 4, (uint32_t)PAGE_SIZE_4K);
    uint32_t page = pci_read32(pf->rid, pf->cap_sriov + SRIOV_SYSTEM_PAGE);
    if (page != PAGE_SIZE_4K)
        return sriov_refuse(pf, SRIOV_SYSTEM_PAGE, page, STATUS_DEVICE,
                            "the PF does not take a 4 KiB system page");
    pci_bars_size(pf->rid, pf->cap_sriov + SRIOV_VF_BAR0, PCI_BARS, sriov->vf_bar);
    enum status status = STATUS_OK;
    for (unsigned i = 0; i < PCI_BARS && status == STATUS_OK; i++)
        if (sriov->vf_bar[i].size != 0)
            status = place_bar(sriov, i, vfs);
    return status;
}

enum status sriov_enable(struct sriov *sriov, uint16_t vfs)
{
    struct pci_function *pf = sriov->pf;
    if (OWNER_IS_GUEST(pf->owner) || sriov->num_vfs != 0)
        return STATUS_BUSY;
    uint16_t most = MIN(sriov->total_vfs, sriov->initial_vfs);
    if (vfs == 0 || vfs > most) {
        log_event("sriov.refused",
                  "pf=%s offset=%#x value=%u message=\"%u VFs requested; 1 to %u are possible\"",
                  rid_text(pf->rid).text, pf->cap_sriov + SRIOV_TOTAL_VFS, sriov->total_vfs, vfs,
                  most);
        return STATUS_INVALID;
    }
    vfs_off(pf);
    placement_release(pf);
    sriov->ari = sriov_enable_ari(pf);
    enum status status = set_count(sriov, vfs);
    if (status == STATUS_OK)
        status = sriov_check_ids(sriov, vfs);
    if (status == STATUS_OK)
        status = place_bars(sriov, vfs);
    if (status != STATUS_OK) {
        placement_release(pf);
        clear_count(sriov);
        return status;
    }
    pf->owner = OWNER_HYPERVISOR;
    sriov->num_vfs = vfs;
    pci_command_set(pf, (uint16_t)PCI_COMMAND_MEMORY, 0);
    pci_update16(pf->rid, pf->cap_sriov + SRIOV_CONTROL, 0,
                 SRIOV_CONTROL_VF_ENABLE | SRIOV_CONTROL_VF_MEMORY);
    pf->num_vfs = vfs;
    pf->sriov_control = read_field(sriov, SRIOV_CONTROL);
    sriov->ready = deadline_in(VF_READY_TIME);
    return STATUS_OK;
}

static struct pci_function describe_vf(const struct sriov *sriov, uint16_t index)
{
    const struct pci_function *pf = sriov->pf;
    struct pci_function vf = {
        .rid = sriov_vf_rid(sriov, index),
        .vendor = pf->vendor, /* VFs read all ones in their own id registers (9.3.4.1.1) */
        .device = read_field(sriov, SRIOV_VF_DEVICE_ID),
        .class_code = pf->class_code,
        .is_vf = true,
        .bridge = pf->bridge,
        .pf = sriov->pf,
        .vf_index = index,
        .owner = OWNER_NOBODY,
        .life = PCI_CLEAN, /* VF Enable has just made it (PCIe 9.2.2.2) */
    };
    for (unsigned i = 0; i < PCI_BARS; i++) {
        vf.bar[i] = sriov->vf_bar[i];
        vf.bar[i].base += index * vf.bar[i].size;
    }
    pci_capabilities_read(&vf);
    return vf;
}

static enum status add_vf(const struct sriov *sriov, uint16_t index)
{
    rid_t rid = sriov_vf_rid(sriov, index);
    if (!WAIT_UNTIL(pci_capability_find(rid, PCI_CAP_PCIE) != 0, VF_ANSWER_TIME)) {
        log_event("sriov.refused", "pf=%s vf=%u rid=%s message=\"the VF does not answer\"",
                  rid_text(sriov->pf->rid).text, index, rid_text(rid).text);
        return STATUS_DEVICE;
    }
    struct pci_function vf = describe_vf(sriov, index);
    const struct pci_function *added = pci_function_add(&vf);
    if (added == NULL) {
        log_event("sriov.refused", "pf=%s vf=%u rid=%s message=\"the function table is full\"",
                  rid_text(sriov->pf->rid).text, index, rid_text(rid).text);
        return STATUS_FULL;
    }
    acs_enable(added);
    /* Decoding follows VF MSE on hardware, where this bit is read-only (9.3.4.1.3); QEMU looks at
     * this bit instead. */
    pci_command_set(added, (uint16_t)PCI_COMMAND_MEMORY, (uint16_t)PCI_COMMAND_BUS_MASTER);
    return STATUS_OK;
}

/* The first BAR that it has; 0 when it has none. */
static unsigned first_bar(const struct pci_function *vf)
{
    for (unsigned i = 0; i < PCI_BARS; i++)
        if (vf->bar[i].size != 0)
            return i;
    return 0;
}

static void take_back(struct sriov *sriov)
{
    pci_functions_remove_vfs(sriov->pf);
    vfs_off(sriov->pf);
    clear_count(sriov);
    placement_release(sriov->pf);
    sriov->num_vfs = sriov->pf->num_vfs = 0;
}

enum status sriov_verify(struct sriov *sriov)
{
    const struct pci_function *pf = sriov->pf;
    if (sriov->num_vfs == 0)
        return STATUS_INVALID;
    clock_wait(sriov->ready);
    uint16_t control = read_field(sriov, SRIOV_CONTROL);
    enum status status = STATUS_OK;
    if ((control & SRIOV_CONTROL_VF_ENABLE) == 0)
        status = sriov_refuse(pf, SRIOV_CONTROL, control, STATUS_DEVICE,
                              "the device cleared VF Enable again");
    for (uint16_t i = 0; i < sriov->num_vfs && status == STATUS_OK; i++)
        status = add_vf(sriov, i);
    /* The first and the last: between them lies all that was placed. */
    const uint16_t ends[] = {0, (uint16_t)(sriov->num_vfs - 1)};
    for (size_t i = 0; i < ARRAY_SIZE(ends) && status == STATUS_OK; i++)
        if (!sriov_registers_answer(sriov, pci_function_find(sriov_vf_rid(sriov, ends[i]))))
            status = STATUS_DEVICE;
    if (status != STATUS_OK) {
        take_back(sriov);
        return status;
    }
    log_event("sriov.enabled", "pf=%s vfs=%u total=%u offset=%u stride=%u ari=%s",
              rid_text(pf->rid).text, sriov->num_vfs, sriov->total_vfs, sriov->first_offset,
              sriov->stride, sriov->ari ? "yes" : "no");
    for (uint16_t i = 0; i < sriov->num_vfs; i++) {
        const struct pci_function *vf = pci_function_find(sriov_vf_rid(sriov, i));
        unsigned bar = first_bar(vf);
        log_event("sriov.vf", "rid=%s bar%u=%#lx size=%s index=%u id=%04x:%04x",
                  rid_text(vf->rid).text, bar, vf->bar[bar].base, size_text(vf->bar[bar].size).text,
                  i, vf->vendor, vf->device);
    }
    return STATUS_OK;
}

enum status sriov_disable(struct sriov *sriov)
{
    const struct pci_function *function;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++)
        if (function->is_vf && function->pf == sriov->pf && function->owner != OWNER_NOBODY)
            return STATUS_BUSY;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++)
        if (function->is_vf && function->pf == sriov->pf)
            pci_bus_master(function, false);
    take_back(sriov);
    sriov->pf->owner = OWNER_NOBODY;
    return STATUS_OK;
}
