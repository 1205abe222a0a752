/* SPDX-License-Identifier: MIT */
/* What a secondary controller offers that reaches further than its own namespace. Guests' commands
 * never pass the hypervisor, so whoever has such a controller can use all of it. */
#include "drivers/nvme/setup/nvme_setup.h"
#include "drivers/nvme/setup/nvme_setup_registers.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/firmware_map.h"

/* In Identify Controller (5.17.2.1). */
static const struct {
    const char *name;
    uint32_t bits;
    uint16_t offset;
    uint16_t needs; /* optional admin commands without which the bits mean nothing */
} commands[] = {
    {"Security Send", NVME_OACS_SECURITY, NVME_CONTROLLER_OACS, 0},
    {"Firmware Commit", NVME_OACS_FIRMWARE, NVME_CONTROLLER_OACS, 0},
    {"Namespace Attachment", NVME_OACS_NAMESPACES, NVME_CONTROLLER_OACS, 0},
    {"NVMe-MI Send", NVME_OACS_MANAGEMENT, NVME_CONTROLLER_OACS, 0},
    {"Virtualization Management", NVME_OACS_VIRTUALIZATION, NVME_CONTROLLER_OACS, 0},
    {"Lockdown", NVME_OACS_LOCKDOWN, NVME_CONTROLLER_OACS, 0},
    {"Capacity Management", NVME_CTRATT_CAPACITY, NVME_CONTROLLER_CTRATT, 0},
    {"Sanitize", NVME_SANICAP_ANY, NVME_CONTROLLER_SANICAP, 0},
    {"Format NVM of all namespaces", NVME_FNA_ALL, NVME_CONTROLLER_FNA, NVME_OACS_FORMAT},
};

/* In the upper half of CAP (3.1.3.1). Memory in the device outlives its owner, and queues in it
 * need no DMA that could be blocked. */
static const struct {
    const char *name;
    uint32_t bit;
} registers[] = {
    {"NVM Subsystem Reset", NVME_CAP_SUBSYS_RESET},
    {"Persistent Memory Region", NVME_CAP_PMR},
    {"Controller Memory Buffer", NVME_CAP_CMB},
};

struct offers {
    char text[280]; /* all of them */
    size_t used;
};

static void add(struct offers *offers, const char *name)
{
    offers->used += format_text(offers->text + offers->used, sizeof offers->text - offers->used,
                                "%s%s", offers->used != 0 ? ", " : "", name);
}

static void find_offers(const struct nvme_controller *secondary, struct offers *offers)
{
    uint16_t optional = nvme_data16(secondary, NVME_CONTROLLER_OACS);
    uint32_t capabilities = mmio_read32(secondary->device->registers + NVME_CAP_HIGH);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        if ((nvme_data32(secondary, commands[i].offset) & commands[i].bits) != 0 &&
            (optional & commands[i].needs) == commands[i].needs)
            add(offers, commands[i].name);
    for (size_t i = 0; i < ARRAY_SIZE(registers); i++)
        if ((capabilities & registers[i].bit) != 0)
            add(offers, registers[i].name);
}

/* Asks a secondary controller that nobody has yet, by an admin queue of its own. */
static enum status ask_secondary(struct pci_function *function, struct offers *offers)
{
    static struct pf_device device;
    static struct nvme_controller secondary;
    const struct pci_bar *bar = &function->bar[0];
    uintptr_t registers = bar->base != 0 && !bar->io ? map_device(bar->base, bar->size) : 0;
    if (registers == 0)
        return STATUS_DEVICE;
    device = (struct pf_device){
        .function = function, .registers = registers, .registers_size = bar->size};
    secondary = (struct nvme_controller){.device = &device};
    enum status status = nvme_open(&secondary);
    if (status == STATUS_OK)
        status = nvme_identify(&secondary, NVME_ID_CONTROLLER, 0);
    if (status == STATUS_OK)
        find_offers(&secondary, offers);
    nvme_close(&secondary);
    unmap(registers, bar->size);
    return status;
}

static struct pci_function *find_vf(const struct pci_function *pf, uint16_t index)
{
    struct pci_function *function;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++)
        if (function->is_vf && function->pf == pf && function->vf_index == index)
            return function;
    return NULL;
}

enum status nvme_check_secondary(struct nvme_controller *controller, uint16_t vf)
{
    const struct pf_device *device = controller->device;
    struct pci_function *function = find_vf(device->function, vf);
    struct offers offers = {.used = 0};
    enum status status = function != NULL ? ask_secondary(function, &offers) : STATUS_NOT_FOUND;
    if (status != STATUS_OK)
        return nvme_refuse(controller, status, "a secondary controller does not work");
    if (offers.used == 0)
        return STATUS_OK;
    bool accepted = device->unsafe_controllers;
    log_event(
        accepted ? "nvme.accepted" : "nvme.refused",
        "pf=%s vf=%u controller=%u status=%s offers=\"%s\" message=\"%s\"",
        rid_text(device->function->rid).text, vf, controller->vf[vf].controller,
        status_name(accepted ? STATUS_OK : STATUS_DENIED), offers.text,
        accepted
            ? "unsafe_controllers: a guest can reach others' data or the whole device with these"
            : "with these a guest could take another's namespace or change the whole device; "
              "unsafe_controllers = yes in its section accepts that");
    return accepted ? STATUS_OK : STATUS_DENIED;
}
