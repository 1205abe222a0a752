/* What a secondary controller may do beyond its own namespace. */
#include "drivers/nvme/nvme_admin.h"

#include "hypervisor/memory/address_space.h"

/* What a secondary controller that nobody has yet says of itself, by an admin queue of its own. */
static enum status ask_secondary(const struct pci_function *function, uint16_t *commands)
{
    static struct pf_device device;
    static struct nvme_controller secondary;
    const struct pci_bar *bar = &function->bar[0];
    uintptr_t registers = bar->base != 0 && !bar->io ? map_device(bar->base, bar->size) : 0;
    if (registers == 0)
        return STATUS_DEVICE;
    device = (struct pf_device){.function = pci_function_find(function->rid),
                                .registers = registers,
                                .registers_size = bar->size};
    secondary = (struct nvme_controller){.device = &device};
    enum status status = nvme_open(&secondary);
    if (status == STATUS_OK)
        status = nvme_identify(&secondary, NVME_ID_CONTROLLER, 0);
    if (status == STATUS_OK)
        *commands = nvme_data16(&secondary, NVME_CONTROLLER_OACS);
    nvme_close(&secondary);
    unmap(registers, bar->size);
    return status;
}

/* What only the primary controller may do. */
enum status nvme_check_secondary(struct nvme_controller *controller, uint16_t vf)
{
    const struct pf_device *device = controller->device;
    const struct pci_function *function = pci_function_find(sriov_vf_rid(&device->sriov, vf));
    uint16_t commands = 0;
    enum status status = function != NULL ? ask_secondary(function, &commands) : STATUS_NOT_FOUND;
    if (status != STATUS_OK)
        return nvme_refuse(controller, status, "a secondary controller does not work");
    if ((commands & (NVME_OACS_NAMESPACES | NVME_OACS_VIRTUALIZATION)) != 0 &&
        !device->unsafe_controllers)
        return nvme_refuse(controller, STATUS_DENIED,
                           "its secondary controllers say that they carry out Namespace Attachment "
                           "or Virtualization Management, so that a guest could take another's "
                           "namespace; unsafe_controllers = yes in its section accepts that");
    return STATUS_OK;
}
