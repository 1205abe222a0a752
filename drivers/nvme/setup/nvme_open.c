/* SPDX-License-Identifier: MIT */
/* The admin queue of a controller: reset, enable, and off again (NVM Express Base 2.0, 3.5). */
#include "drivers/nvme/setup/nvme_setup.h"
#include "drivers/nvme/setup/nvme_setup_registers.h"
#include "hypervisor/base/clock.h"
#include "hypervisor/iommu/pf_dma_setup.h"

#define TIMEOUT_UNIT    MILLISECONDS(500)
#define MAX_ENABLE_TIME MILLISECONDS(10000) /* CAP.TO could ask for two minutes */

static void write_address(const struct nvme_controller *controller, unsigned offset,
                          uint64_t address)
{
    nvme_write(controller, offset, address);
    nvme_write(controller, offset + 4, address >> 32);
}

/* Whether CSTS.RDY becomes `ready`. All ones: the device is gone. */
static bool becomes(const struct nvme_controller *controller, bool ready, uint64_t time)
{
    uint32_t state;
    return WAIT_UNTIL((state = nvme_read(controller, NVME_CSTS),
                       state != UINT32_MAX && ((state & NVME_CSTS_READY) != 0) == ready),
                      time);
}

static uint64_t enable_time(const struct nvme_controller *controller)
{
    uint64_t units = NVME_CAP_TIMEOUT(nvme_read(controller, NVME_CAP_LOW));
    return MIN(MAX(units, 1) * TIMEOUT_UNIT, MAX_ENABLE_TIME);
}

static enum status check_capabilities(struct nvme_controller *controller)
{
    uint32_t low = nvme_read(controller, NVME_CAP_LOW), high = nvme_read(controller, NVME_CAP_HIGH);
    controller->stride = 4u << NVME_CAP_STRIDE(high);
    if (low == UINT32_MAX && high == UINT32_MAX)
        return nvme_refuse(controller, STATUS_DEVICE, "its registers do not answer");
    if ((high & NVME_CAP_NVM) == 0 || NVME_CAP_MIN_PAGE(high) != 0 ||
        NVME_CAP_ENTRIES(low) < NVME_ENTRIES)
        return nvme_refuse(controller, STATUS_UNSUPPORTED,
                           "it lacks the NVM command set, 4 KiB pages or a queue of 32 entries");
    if (NVME_DOORBELLS + 2 * controller->stride > controller->device->registers_size)
        return nvme_refuse(controller, STATUS_INVALID,
                           "its doorbells lie outside of its registers (BAR 0)");
    return STATUS_OK;
}

static enum status enable(struct nvme_controller *controller)
{
    uint64_t time = enable_time(controller);
    nvme_write(controller, NVME_CC, 0);
    if (!becomes(controller, false, time))
        return nvme_refuse(controller, STATUS_TIMEOUT, "it does not stop (CSTS.RDY stays 1)");
    controller->tail = controller->head = controller->last_id = 0;
    controller->phase = 1;
    nvme_write(controller, NVME_INTMS, UINT32_MAX);
    nvme_write(controller, NVME_AQA, (NVME_ENTRIES - 1) << 16 | (NVME_ENTRIES - 1));
    write_address(controller, NVME_ASQ, nvme_page_address(NVME_PAGE_SUBMISSION));
    write_address(controller, NVME_ACQ, nvme_page_address(NVME_PAGE_COMPLETION));
    nvme_write(controller, NVME_CC, NVME_CC_ENTRY_SIZES | NVME_CC_ENABLE);
    if (!becomes(controller, true, time))
        return nvme_refuse(controller, STATUS_TIMEOUT, "it does not start (CSTS.RDY stays 0)");
    return STATUS_OK;
}

enum status nvme_open(struct nvme_controller *controller)
{
    struct pci_function *function = controller->device->function;
    controller->dead = false;
    enum status status = check_capabilities(controller);
    if (status != STATUS_OK)
        return status;
    controller->dma = pf_dma_open(function, NVME_PAGES);
    if (controller->dma == NULL)
        return STATUS_NO_MEMORY;
    status = enable(controller);
    if (status != STATUS_OK)
        nvme_close(controller);
    return status;
}

void nvme_close(struct nvme_controller *controller)
{
    if (controller->dma == NULL)
        return;
    nvme_write(controller, NVME_CC, 0);
    if (!becomes(controller, false, enable_time(controller)))
        (void)!nvme_refuse(controller, STATUS_TIMEOUT,
                           "it does not stop; its bus mastering is off");
    pf_dma_close(controller->dma);
    controller->dma = NULL;
}
