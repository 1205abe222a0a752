/* SPDX-License-Identifier: MIT */
/* The configuration's PFs: found, given to their driver, split into virtual functions. */
#include "hypervisor/setup/pfs.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/assign/pf.h"
#include "hypervisor/guest/faults.h"
#include "hypervisor/assign/guest.h"
#include "hypervisor/pci/pf_driver.h"
#include "hypervisor/iommu/iommu.h"
#include "hypervisor/iommu/reserved.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/pci/config_space.h"
#include "drivers/setup/pf_drivers.h"
#include "hypervisor/pci/pf_setup.h"
#include "hypervisor/setup/memory.h"
#include "hypervisor/setup/pci_sriov.h"

/* A bit for each section whose VF Enable is set while the 100 ms are running. */
static uint64_t enabling;
_Static_assert(CONFIG_MAX_NICS == PF_MAX && PF_MAX <= 64, "a bit for each");

static enum status refuse(const struct config_nic *config, enum status status, const char *message)
{
    log_event("nic.refused", "nic=%s line=%u status=%s message=\"%s\"", config->name,
              config->place.line, status_name(status), message);
    return status;
}

/* By address, or the first function with the ids that no earlier section took. */
static struct pci_function *find(const struct config_nic *config)
{
    if (!config->by_id)
        return pci_function_find(config->rid);
    for (size_t i = 0; i < pci_function_count(); i++) {
        struct pci_function *function = pci_function_at(i);
        if (!function->is_vf && function->vendor == config->vendor &&
            function->device == config->device && pf_of(function) == NULL)
            return function;
    }
    return NULL;
}

static const struct pf_setup *setup_for(const struct pci_function *function,
                                        enum config_driver driver)
{
    if (driver != DRIVER_OURS)
        return &none_pf_setup;
    for (size_t i = 0; pf_setups[i] != NULL; i++)
        if (pf_setups[i]->probe(function))
            return pf_setups[i];
    return NULL;
}

static const struct pf_setup *setup_of(const struct pf_device *pf)
{
    size_t i = 0;
    while (pf_setups[i]->driver != pf->driver)
        i++;
    return pf_setups[i];
}

/* Bus mastering goes; but what firmware keeps memory for goes on with it, and reaches only that. */
static void quieten(const struct pci_function *function)
{
    if (!iommu_firmware_connected(function->rid))
        pci_bus_master(function, false);
}

/* The PF's registers rule over its VFs': nobody else gets them. */
static bool own_registers(const struct pci_function *function)
{
    const uint32_t from = BIT(OWNER_NONE) | BIT(OWNER_MMIO) | BIT(OWNER_FIRMWARE);
    for (unsigned i = 0; i < PCI_BARS; i++) {
        const struct pci_bar *bar = &function->bar[i];
        uint64_t size = ALIGN_UP(bar->size, PAGE_SIZE);
        if (bar->io || bar->base == 0 || !IS_ALIGNED(bar->base, PAGE_SIZE))
            continue;
        if (frames_take(bar->base, size, from, OWNER_HYPERVISOR) != STATUS_OK ||
            !frames_owned_by(bar->base, size, OWNER_HYPERVISOR))
            return false;
    }
    return true;
}

/* The first step to its guest, while there is no VF that a reset could take away. */
static enum status clean(struct pci_function *function)
{
    enum status status = pci_function_reset(function);
    if (status == STATUS_OK)
        return pci_life_set(function, PCI_CLEAN) ? STATUS_OK : STATUS_DENIED;
    return status;
}

static void log_driver(const struct pf_device *pf, const struct config_nic *config)
{
    const struct short_text rid = rid_text(pf->function->rid);
    if (config->driver == DRIVER_NONE)
        log_event("nic.driver",
                  "nic=%s pf=%s driver=none message=\"nobody drives the PF: its VFs have what the "
                  "card gives them by itself\"",
                  pf->name, rid.text);
    else if (config->driver == DRIVER_GUEST)
        log_event("nic.driver",
                  "nic=%s pf=%s driver=guest guest=%s owner_lost=%s message=\"this guest decides "
                  "about its VFs' addresses, filters and link, and by their queues about what they "
                  "read and write in their own guests' memory; other memory, interrupts and "
                  "functions are out of its reach\"",
                  pf->name, rid.text, config->owner_name,
                  pf->ends_with_manager ? "reset" : "quarantine");
}

static enum status split(struct pf *entry, const struct config_nic *config)
{
    struct pci_function *function = entry->function;
    struct pf_device *pf = &entry->device;
    pf->function = function;
    pf->vfs = (uint16_t)config->vfs;
    pf->unsafe_controllers = config->unsafe_controllers;
    pf->ends_with_manager = config->owner_lost == OWNER_LOST_RESET;
    if (config->driver == DRIVER_GUEST && config->owner == CONFIG_NO_GUEST)
        return refuse(config, STATUS_INVALID,
                      "the guest that is to drive it is not there or does not have it "
                      "(config.error above)");
    if (config->driver == DRIVER_GUEST)
        pf->manager = OWNER_GUEST(config->owner);
    if (pci_unusable(function))
        return refuse(config, STATUS_DENIED,
                      "the device could not be brought to a known state; " PCI_UNTIL_REBOOT);
    if (function->life == PCI_MISPLACED || !pci_bars_hold(function))
        return refuse(config, STATUS_DENIED,
                      "its registers overlap another device's, or lie outside the windows of the "
                      "bridges above (pci.refused above says which and what to do)");
    if (function->cap_sriov == 0)
        return refuse(
            config, STATUS_UNSUPPORTED,
            "the device has no SR-IOV capability; without vfs it can be passed through whole");
    if (!iommu_enabled())
        return refuse(config, STATUS_UNSUPPORTED,
                      "there is no working IOMMU, so virtual functions could not be confined");
    const struct pf_setup *setup = setup_for(function, config->driver);
    if (setup == NULL)
        return refuse(config, STATUS_UNSUPPORTED,
                      "there is no PF driver for this device; if its VFs work without one, add "
                      "driver = none");
    pf->driver = setup->driver;
    enum status status = config->driver == DRIVER_GUEST ? clean(function) : STATUS_OK;
    if (status != STATUS_OK)
        return refuse(config, status,
                      "it cannot be reset, so what the last owner left in it would reach the guest "
                      "that is to drive it");
    status = sriov_probe(function, &pf->sriov);
    if (status != STATUS_OK)
        return refuse(config, status, "its SR-IOV capability cannot be used");
    if (config->vfs > pf->sriov.total_vfs || config->vfs > PF_MAX_VFS) {
        log_event("nic.refused",
                  "nic=%s line=%u vfs=%u total=%u message=\"the configuration asks for more VFs "
                  "than the device has\"",
                  config->name, config->place.line, config->vfs, pf->sriov.total_vfs);
        return STATUS_INVALID;
    }
    pf->registers_size = function->bar[0].size;
    pf->registers =
        config->driver == DRIVER_OURS && function->bar[0].base != 0 && !function->bar[0].io
            ? map_device(function->bar[0].base, function->bar[0].size)
            : 0;
    if (pf->registers == 0 && config->driver == DRIVER_OURS)
        return refuse(config, STATUS_DEVICE, "its registers (BAR 0) have no address");
    function->owner = OWNER_HYPERVISOR;
    if (config->driver != DRIVER_GUEST && !own_registers(function))
        return refuse(config, STATUS_DENIED, "its registers have another owner in the frame table");
    pci_command_set(function, PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_OFF, 0);
    quieten(function);
    if (setup->dma_test != NULL) {
        status = setup->dma_test(pf, fault_answer);
        log_event("nic.dma_test", "nic=%s rid=%s status=%s%s", config->name,
                  rid_text(function->rid).text, status_name(status),
                  status == STATUS_TIMEOUT
                      ? " message=\"the PF sent no DMA, as is usual without a link, so the test "
                        "shows nothing: that the IOMMU covers it is only the DMAR table's word; "
                        "plug in a cable and reboot to repeat the test\""
                      : "");
        if (status != STATUS_OK && status != STATUS_TIMEOUT)
            return refuse(config, status,
                          status == STATUS_DENIED
                              ? "its DMA to memory outside of its domain was not stopped: the "
                                "firmware's DMAR table lists no unit that covers this device; use "
                                "another slot or update the firmware"
                              : "whether the IOMMU stops its DMA could not be tested; reset the "
                                "machine, and use another slot if this happens again");
    }
    status = setup->start(pf, pf->vfs);
    if (status != STATUS_OK)
        return refuse(config, status, "its PF driver could not start it");
    status = sriov_enable(&pf->sriov, pf->vfs);
    if (status != STATUS_OK) {
        setup->stop(pf);
        return refuse(config, status, "its virtual functions could not be enabled");
    }
    log_driver(pf, config);
    return STATUS_OK;
}

void pfs_prepare(const struct config *config)
{
    enabling = 0;
    for (uint32_t i = 0; i < config->nic_count && i < CONFIG_MAX_NICS; i++) {
        const struct config_nic *section = &config->nics[i];
        struct pci_function *function = find(section);
        pfs[i] = (struct pf){0};
        (void)text_copy(pfs[i].device.name, sizeof pfs[i].device.name, section->name);
        if (function == NULL)
            (void)refuse(section, STATUS_NOT_FOUND,
                         "there is no such device; `devices` at the prompt lists what there is");
        else if (pf_of(function) != NULL)
            (void)refuse(section, STATUS_BUSY, "another nic section names the same device");
        else
            pfs[i].function = function;
        function = pfs[i].function;
        if (function == NULL || section->vfs == 0)
            continue;
        if (split(&pfs[i], section) == STATUS_OK)
            enabling |= BIT(i);
        else if (function->owner == OWNER_HYPERVISOR)
            quieten(function);
    }
}

/* Nobody has its VFs yet, so they can be switched off. */
static void give_up(const struct pf_setup *setup, struct pf_device *pf, enum status status)
{
    setup->stop(pf);
    /* sriov_verify() has done so if it failed. */
    if (pf->sriov.num_vfs != 0)
        (void)!sriov_disable(&pf->sriov);
    log_event("nic.refused",
              "nic=%s status=%s message=\"its virtual functions did not come up; guests that ask "
              "for them are refused\"",
              pf->name, status_name(status));
}

void pfs_verify(void)
{
    for (uint32_t i = 0; i < PF_MAX; i++) {
        if ((enabling & BIT(i)) == 0)
            continue;
        struct pf_device *pf = &pfs[i].device;
        const struct pf_setup *setup = setup_of(pf);
        enum status status = sriov_verify(&pf->sriov);
        if (status == STATUS_OK)
            status = setup->vfs_enabled(pf);
        pfs[i].split = status == STATUS_OK;
        if (status != STATUS_OK)
            give_up(setup, pf, status);
        else if (pf->manager != OWNER_NOBODY)
            pfs[i].function->owner = OWNER_NOBODY; /* its manager's, who asks for it by name */
    }
    /* Its driver may go: optional.h. */
    for (uint32_t i = 0; i < PF_MAX; i++)
        if (!pfs[i].split)
            pfs[i].device.driver = NULL;
    enabling = 0;
}
